"""Invalidations as rows: gathered, kept within what CloudFront takes, sent once, told of."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Lock
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from cloudadmin.aws import ClientError
from deployments import tasks
from deployments.invalidations import running
from deployments.invalidations.paths import covers
from deployments.invalidations.running import MAX_WILDCARDS, advance, due, request
from deployments.manifest import Entry, Manifest
from deployments.models import Invalidation
from localcloud.physics.invalidations import Batch, Invalidations
from sites.models import Site
from tests.factories import DeploymentFactory, InvalidationFactory, SiteFactory

pytestmark = pytest.mark.django_db
Status = Invalidation.Status
# Older than what is still gathered.
LATER = timedelta(seconds=30)


class CloudFront:
    """Invalidations by CallerReference, under the local cloud's own quotas."""

    def __init__(self) -> None:
        self.batches: dict[str, Batch] = {}
        self.completed: set[str] = set()
        self.calls = 0
        self.errors: list[Exception] = []
        self._quota = Invalidations(lambda key: key not in self.completed)
        self._lock = Lock()

    def create_invalidation(self, *, DistributionId: str, InvalidationBatch: Any) -> Any:
        with self._lock:
            self.calls += 1
            reference = InvalidationBatch["CallerReference"]
            batch = Batch(DistributionId, reference, tuple(InvalidationBatch["Paths"]["Items"]))
            assert InvalidationBatch["Paths"]["Quantity"] == len(batch.paths)
            known = self.batches.get(f"I{reference}")
            assert known in (None, batch)
            self._raise("before")
            if self._quota.refuse(batch):
                raise refused("TooManyInvalidationsInProgress")
            self.batches[f"I{reference}"] = batch
            self._quota.add(f"I{reference}", batch)
            self._raise("after")
            return self.get_invalidation(DistributionId=DistributionId, Id=f"I{reference}")

    def get_invalidation(self, *, DistributionId: str, Id: str) -> Any:
        if Id not in self.batches:
            raise refused("NoSuchInvalidation", 404)
        status = "Completed" if Id in self.completed else "InProgress"
        return {"Invalidation": {"Id": Id, "Status": status}}

    def _raise(self, when: str) -> None:
        if self.errors and getattr(self.errors[0], "when", "before") == when:
            raise self.errors.pop(0)


def refused(code: str, status: int = 400) -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": code}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        "CreateInvalidation",
    )


@pytest.fixture
def cloudfront(monkeypatch: pytest.MonkeyPatch) -> CloudFront:
    cloudfront = CloudFront()
    clients = SimpleNamespace(cloudfront=cloudfront)
    monkeypatch.setattr(running, "clients_for", lambda account: clients)
    return cloudfront


@pytest.fixture
def site() -> Site:
    return SiteFactory(live=True, serving=True)


def asked(site: Site, *paths: str, age: timedelta = LATER) -> Invalidation:
    row = request(site, list(paths))
    Invalidation.objects.filter(pk=row.pk).update(created_at=timezone.now() - age)
    return row


def sent(row: Invalidation) -> Invalidation:
    advance(row.pk)
    row.refresh_from_db()
    return row


# --- Gathered -------------------------------------------------------------------------------------


def test_what_is_asked_within_seconds_is_sent_as_one(site, cloudfront):
    rows = [asked(site, f"/data/{n}.json", age=timedelta(0)) for n in range(4)]
    pause = advance(rows[2].pk)
    assert pause is not None
    assert 0 < pause <= running.GATHERED.total_seconds()
    assert not cloudfront.calls
    Invalidation.objects.update(created_at=timezone.now() - LATER)
    assert advance(rows[2].pk) is None
    first, *others = (Invalidation.objects.get(pk=row.pk) for row in rows)
    assert (first.status, len(first.paths)) == (Status.IN_PROGRESS, 4)
    assert {(row.status, row.merged_into_id) for row in others} == {(Status.MERGED, first.pk)}
    assert [row.paths for row in others] == [[f"/data/{n}.json"] for n in (1, 2, 3)]
    assert advance(others[0].pk) is None
    assert cloudfront.calls == 1


def test_another_site_goes_by_itself(site, cloudfront):
    one, other = asked(site, "/a"), asked(SiteFactory(live=True, serving=True), "/a")
    assert sent(one).status == sent(other).status == Status.IN_PROGRESS
    assert len(cloudfront.batches) == 2


def test_a_worker_comes_back_for_what_is_gathered(site, cloudfront, monkeypatch):
    again: list[Any] = []
    monkeypatch.setattr(
        tasks.send_invalidation, "apply_async", lambda args, countdown: again.append(args)
    )
    row = asked(site, "/a", age=timedelta(0))
    tasks.send_invalidation(row.pk)
    assert again == [(row.pk,)]


def test_what_was_merged_twice_leads_to_what_was_sent(site, cloudfront):
    late, first, merged = asked(site, "/late"), asked(site, "/a"), asked(site, "/b")
    Invalidation.objects.filter(pk=merged.pk).update(status=Status.MERGED, merged_into=first)
    sent(late)
    assert set(late.merged.all()) == {first, merged}


# --- Within the quotas ----------------------------------------------------------------------------


def test_what_has_no_room_waits_and_says_why(site, cloudfront):
    under_way = sent(asked(site, *(f"/{n}/*" for n in range(10))))
    waiting = sent(asked(site, *(f"/more/{n}/*" for n in range(6))))
    assert waiting.status == Status.QUEUED
    assert "10 of the 15 wildcard paths" in waiting.error_message
    assert running.waits_for(waiting) == waiting.error_message
    assert sent(asked(site, "/plain")).merged_into == waiting
    cloudfront.completed.add(under_way.invalidation_id)
    assert sent(under_way).completed_at is not None
    assert sent(waiting).status == Status.IN_PROGRESS
    assert waiting.error_message == ""


def test_three_thousand_plain_paths_are_the_most(site, cloudfront):
    InvalidationFactory(site=site, paths=[f"/{n}" for n in range(2_999)], status=Status.IN_PROGRESS)
    assert "2,999 of the 3,000 plain" in sent(asked(site, "/a", "/b")).error_message
    assert sent(asked(SiteFactory(live=True, serving=True), "/a", "/b")).error_message == ""


@pytest.mark.django_db(transaction=True)
def test_many_workers_keep_to_the_quota_together(cloudfront):
    """They ask and send side by side: CloudFront never has to refuse one."""
    site = SiteFactory(live=True, serving=True)

    def work(worker: int) -> None:
        try:
            for n in range(4):
                row = asked(site, *(f"/{worker}/{n}/{m}/*" for m in range(4)))
                advance(row.pk)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as workers:
        list(workers.map(work, range(4)))
    paths = [path for batch in cloudfront.batches.values() for path in batch.paths]
    assert 0 < len(paths) <= MAX_WILDCARDS
    assert cloudfront.calls == len(cloudfront.batches)
    # What is completed makes room, until all that was asked for is covered.
    for _ in range(20):
        cloudfront.completed |= set(cloudfront.batches)
        for pk in due():
            advance(pk)
    assert due() == []
    assert cloudfront.calls == len(cloudfront.batches)
    gone = [path for batch in cloudfront.batches.values() for path in batch.paths]
    for row in Invalidation.objects.all():
        assert all(any(covers(path, each) for path in gone) for each in row.paths)


@pytest.mark.parametrize("code", ["TooManyInvalidationsInProgress", "Throttling"])
def test_a_busy_cloudfront_is_waited_out(site, cloudfront, code):
    cloudfront.errors = [refused(code)]
    row = sent(asked(site, "/a"))
    assert (row.status, row.submitted_at) == (Status.QUEUED, None)
    assert "tried again" in running.waits_for(row)
    assert sent(row).status == Status.IN_PROGRESS
    assert row.error_message == ""


# --- Sent once ------------------------------------------------------------------------------------


def test_a_lost_answer_makes_no_second_one(site, cloudfront):
    lost = refused("InternalError", 500)
    lost.when = "after"  # type: ignore[attr-defined]
    cloudfront.errors = [lost]
    row = sent(asked(site, "/a"))
    assert (row.status, row.invalidation_id) == (Status.IN_PROGRESS, "")
    assert "InternalError" in running.waits_for(row)
    later = sent(asked(site, "/b"))
    assert later.pk != row.pk
    assert sent(row).invalidation_id
    assert row.paths == ["/a"]
    assert (cloudfront.calls, len(cloudfront.batches)) == (3, 2)


def test_what_another_worker_is_sending_is_left_to_it(site, cloudfront):
    row = asked(site, "/a")
    Invalidation.objects.filter(pk=row.pk).update(status=Status.COMPLETED)
    assert advance(row.pk) is None
    running._call(row.pk, "E1", cloudfront)
    assert advance(row.pk + 1) is None
    assert cloudfront.calls == 0


def test_a_refusal_for_good_is_the_end(site, cloudfront):
    cloudfront.errors = [refused("AccessDenied", 403)]
    row = sent(asked(site, "/a"))
    assert row.status == Status.FAILURE
    assert "AccessDenied" in row.error_message
    assert running.waits_for(row) == ""
    assert due() == []


def test_without_a_distribution_there_is_nothing_to_send_to(site, cloudfront):
    row = asked(site, "/a")
    site.resources.all().delete()
    assert "not live yet" not in row.error_message
    Site.objects.filter(pk=site.pk).update(state=Site.State.DESTROYING)
    assert "being destroyed" in sent(row).error_message
    assert row.status == Status.FAILURE


def test_what_is_due(site):
    one, _ = (InvalidationFactory(site=site) for _ in range(2))
    in_progress = InvalidationFactory(site=site, status=Status.IN_PROGRESS)
    for status in (Status.COMPLETED, Status.FAILURE, Status.MERGED):
        InvalidationFactory(site=site, status=status)
    other = InvalidationFactory()
    assert sorted(due()) == sorted([one.pk, in_progress.pk, other.pk])


@given(
    st.lists(st.sampled_from(["/a", "/b/*", "/c~"]), max_size=20),
    st.lists(st.sampled_from(["/x", "/y/*"]), max_size=20),
)
def test_there_is_room_exactly_when_the_local_cloud_takes_it(more, there):
    cloud = Invalidations(lambda key: True)
    cloud.add("I1", Batch("E1", "1", tuple(there)))
    asked_for = Batch("E1", "2", tuple(more or ["/z"]))
    has_room = not running._no_room(list(asked_for.paths), there)
    assert has_room == (cloud.refuse(asked_for) is None)


# --- Told -----------------------------------------------------------------------------------------


def test_a_plan_tells_what_is_sent_what_it_takes_and_what_it_costs(site):
    entry = Entry("0" * 64, 1, "text/plain", "no-cache")
    paths = ["cafe.html", "café/menu.html", "index.html"]
    manifest = Manifest(dict.fromkeys(paths, entry))
    DeploymentFactory(site=site, current=True, manifest=manifest.to_bytes())
    plan = running.plan(site, ["café/menu.html", "/index.html"])
    assert plan.paths == ("/caf*", "/index.html")
    (taken,) = plan.taken
    assert (taken.path, taken.count, taken.examples) == ("/caf*", 1, ("/cafe.html",))
    assert not plan.ledger.used + plan.price
    assert not Invalidation.objects.exists()


@pytest.mark.parametrize("paths", [[], [""], ["#tag"], ["/a\n/b"]])
def test_what_is_no_path_is_refused_before_anything_is_written(site, paths):
    with pytest.raises(ValueError, match="path"):
        request(site, paths)
    assert not Invalidation.objects.exists()


def test_what_is_usual_is_the_middle_of_the_last(site):
    assert running.usual_seconds(site.account) is None
    begin = datetime(2026, 3, 1, tzinfo=UTC)
    for seconds in (5, 20, 600):
        InvalidationFactory(
            site=site,
            status=Status.COMPLETED,
            submitted_at=begin,
            completed_at=begin + timedelta(seconds=seconds),
        )
    assert running.usual_seconds(site.account) == 20


def test_what_is_waited_for_is_told(site):
    row = InvalidationFactory(site=site)
    assert "Gathers" in running.waits_for(row)
    row.status = Status.IN_PROGRESS
    assert "Is being sent" in running.waits_for(row)
    row.invalidation_id = "I1"
    assert "every point of presence" in running.waits_for(row)
    row.status = Status.COMPLETED
    assert running.waits_for(row) == ""
