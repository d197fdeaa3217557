"""That a strike hits what it is aimed at, and nothing else."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import suppress

import pytest
from botocore.retries.standard import ExponentialBackoff

from cloudadmin.aws import AnswerGarbled, ClientError, error_code, was_answer_lost
from tests.fakes import Killed
from tests.localcloud.conftest import LocalCloud
from tests.sweep.strikes import UNDISTURBED, Mode, Strike, StrikingClients


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    cloud = LocalCloud(tmp_path_factory.mktemp("cloud"))
    cloud.start()
    yield cloud
    cloud.stop()


@pytest.fixture(scope="module")
def clients(cloud: LocalCloud) -> StrikingClients:
    return StrikingClients(cloud.aws_endpoint)


@pytest.fixture(autouse=True)
def _sent_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the sweep itself."""
    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0)


@pytest.fixture
def name() -> str:
    return f"struck-{uuid.uuid4().hex[:8]}"


def exists(clients: StrikingClients, bucket: str) -> bool:
    return bucket in [item["Name"] for item in clients.s3.list_buckets()["Buckets"]]


@pytest.mark.parametrize(("mode", "is_done"), [(Mode.BEFORE, False), (Mode.AFTER, True)])
def test_killed_before_it_is_not_done_and_after_it_is(clients, name, mode, is_done):
    with clients.aimed(Strike(mode, (2,))) as sent:
        clients.s3.create_bucket(Bucket=f"{name}-first")
        clients.s3.list_buckets()
        with pytest.raises(Killed):
            clients.s3.create_bucket(Bucket=name)
    assert sent.changes == ["s3.CreateBucket", "s3.CreateBucket"]
    assert sent.struck == ["s3.CreateBucket"]
    assert exists(clients, name) == is_done


def test_a_name_is_its_first_call(clients, name):
    with clients.aimed(Strike(Mode.REFUSED, ("s3.CreateBucket",))) as sent:
        with pytest.raises(ClientError):
            clients.s3.create_bucket(Bucket=name)
        clients.s3.create_bucket(Bucket=f"{name}-second")
    assert (len(sent.changes), sent.struck) == (2, ["s3.CreateBucket"])


def test_what_is_sent_again_has_no_number(clients, name):
    with clients.aimed(Strike(Mode.REFUSED, (2,))) as sent:
        clients.s3.create_bucket(Bucket=name)
        clients.s3.create_bucket(Bucket=name)
        with pytest.raises(ClientError):
            clients.s3.create_bucket(Bucket=f"{name}-second")
    assert (len(sent.changes), sent.struck) == (3, ["s3.CreateBucket"])


def test_a_lost_answer_is_sent_again_and_counted_as_a_call_of_its_own(clients, name):
    clients.s3.create_bucket(Bucket=name)
    tags = {"TagSet": [{"Key": "a", "Value": "b"}]}
    with clients.aimed(Strike(Mode.LOST, (1,))) as sent:
        clients.s3.put_bucket_tagging(Bucket=name, Tagging=tags)
    assert sent.changes == ["s3.PutBucketTagging"] * 2


def test_a_refused_read_is_refused_once(clients):
    with clients.aimed(Strike(Mode.REFUSED, (1,), reads=True)) as sent:
        with pytest.raises(ClientError) as refused:
            clients.s3.list_buckets()
        clients.s3.list_buckets()
    assert error_code(refused.value) == "AccessDenied"
    assert (sent.reads, sent.struck) == (["s3.ListBuckets"] * 2, ["s3.ListBuckets"])


def test_what_is_malformed_stays_so_for_all_attempts_of_a_call(clients):
    with clients.aimed(Strike(Mode.MALFORMED, (1,), reads=True)) as sent:
        with pytest.raises((ClientError, AnswerGarbled)):
            clients.s3.list_buckets()
        clients.s3.list_buckets()
    assert len(sent.reads) == len(sent.struck) + 1 > 2


def test_a_malformed_answer_is_an_error_of_aws(clients):
    malformed = Strike(Mode.MALFORMED, (1,), reads=True)
    with clients.aimed(malformed), pytest.raises(AnswerGarbled, match="could not be") as garbled:
        clients.cloudfront.list_distributions()
    assert was_answer_lost(garbled.value)


def test_what_is_answered_with_nothing_never_reached_aws(clients, name):
    with clients.aimed(Strike(Mode.EMPTY, (1,))):
        clients.s3.create_bucket(Bucket=name)
    assert not exists(clients, name)


def test_chance_ends_with_the_aim(clients):
    with clients.aimed(Strike(Mode.UNAVAILABLE, seed=1)) as sent:
        for _ in range(10):
            with suppress(ClientError):
                clients.sts.get_caller_identity()
    assert sent.struck
    with clients.aimed(UNDISTURBED) as sent:
        clients.sts.get_caller_identity()
    assert (len(sent.reads), sent.struck) == (1, [])


def test_tokens_are_noted_beside_the_create_at_hand(clients, name):
    clients.at_hand = "zone 1"
    clients.route53.create_hosted_zone(Name=f"{name}.com", CallerReference=name)
    assert clients.tokens["CreateHostedZone zone 1"] == {name}
