"""An account and a site, brought up and taken down, struck at the calls that change something.

Killed before the call; killed after it, when AWS has done it and nobody knows; or its answer lost,
which botocore takes for a read timeout and sends again. A call that only reads leaves AWS and our
records as the change before it left them, so a kill there is that change's own. Each life is struck
at the k-th change of each of its four stages, so that one stack serves four points.

Every k is run for "killed after", the hard mode, and every third for the others; ``SWEEP=whole``
runs them all.
"""

from __future__ import annotations

import os
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest
from botocore.awsrequest import AWSPreparedRequest
from botocore.exceptions import ReadTimeoutError
from botocore.httpsession import URLLib3Session

from cloudadmin.aws import Access, Clients
from sites import provisioning
from sites.provisioning import Done, Waiting
from sites.provisioning.outcomes import Outcome
from tests.fakes import Killed
from tests.localcloud.conftest import LocalCloud
from tests.sites.provisioning.conftest import START, World, package
from tests.sites.provisioning.inventory import inventory

NO_CHANGES = "No changes. What is on AWS matches what is asked for."
# The zone is the person's own, and counters cannot be counted again.
REMAINS = Counter(
    ["record zone-SITE.com. NS", "record zone-SITE.com. SOA", "snapshot of cloudadmin-ACCOUNT"]
)
WORKERS = 2

BEFORE, AFTER, LOST = "killed before", "killed after", "answer lost"

BUCKET = (
    "s3.CreateBucket s3.PutPublicAccessBlock s3.PutBucketOwnershipControls s3.PutBucketEncryption"
    " s3.PutBucketLifecycleConfiguration s3.PutBucketTagging"
)
# The changes of an undisturbed life, stage by stage: account up, site up, site down, account down.
CHANGES = f"""
cloudfront.CreateOriginAccessControl cloudfront.CreateResponseHeadersPolicy rds.CreateDBInstance
cloudfront.CreateOriginAccessControl cloudfront.CreateOriginRequestPolicy iam.CreatePolicy
{BUCKET} s3.PutObject

{BUCKET} cloudfront.CreateKeyValueStore acm.RequestCertificate
route-53.ChangeResourceRecordSets cloudfront.CreateFunction cloudfront.PublishFunction
cloudwatch-logs.CreateLogGroup cloudwatch-logs.PutRetentionPolicy iam.CreateRole iam.PutRolePolicy
lambda.CreateFunction lambda.CreateFunctionUrlConfig cloudfront.CreateDistributionWithTags
s3.PutBucketPolicy lambda.AddPermission lambda.AddPermission
route-53.ChangeResourceRecordSets route-53.ChangeResourceRecordSets
lambda.Invoke lambda.Invoke lambda.Invoke

lambda.Invoke lambda.Invoke route-53.ChangeResourceRecordSets route-53.ChangeResourceRecordSets
lambda.RemovePermission lambda.RemovePermission s3.DeleteBucketPolicy
cloudfront.UpdateDistribution cloudfront.DeleteDistribution
lambda.DeleteFunctionUrlConfig lambda.DeleteFunction iam.DeleteRolePolicy iam.DeleteRole
cloudwatch-logs.DeleteLogGroup cloudfront.DeleteFunction route-53.ChangeResourceRecordSets
acm.DeleteCertificate cloudfront.DeleteKeyValueStore s3.DeleteBucket

s3.DeleteObject s3.DeleteBucket iam.DeletePolicy cloudfront.DeleteOriginRequestPolicy
cloudfront.DeleteOriginAccessControl rds.ModifyDBInstance rds.DeleteDBInstance
cloudfront.DeleteResponseHeadersPolicy cloudfront.DeleteOriginAccessControl
"""
STAGES = tuple(stage.split() for stage in CHANGES.split("\n\n"))


@dataclass(frozen=True)
class Point:
    """Where each stage is struck, and how. ``k`` counts changes from 1; nothing happens at 0."""

    mode: str
    k: int

    def __str__(self) -> str:
        struck = [stage[self.k - 1] for stage in STAGES if self.k <= len(stage)]
        return f"{self.mode} {self.k} {' '.join(struck)}"


UNDISTURBED = Point(BEFORE, 0)
# The emulator ignores its token, so that one runs where it is honoured.
CERTIFICATE = Point(LOST, STAGES[1].index("acm.RequestCertificate") + 1)
IS_WHOLE = os.environ.get("SWEEP") == "whole"
POINTS = [
    point
    for k in range(1, max(map(len, STAGES)) + 1)
    for point in (Point(AFTER, k), Point(LOST, k), Point(BEFORE, k))
    if point != CERTIFICATE
    if IS_WHOLE or point.mode == AFTER or point.k % 3 == 0
]


class StrikingClients(Clients):
    """Strikes once, at the k-th call that changes something."""

    def __init__(self, access: Access) -> None:
        super().__init__(access)
        self.wire = URLLib3Session()
        self.point = UNDISTURBED
        self.changes: list[str] = []

    @contextmanager
    def aimed(self, point: Point) -> Iterator[list[str]]:
        """The changes made meanwhile, the k-th of them struck."""
        self.point, self.changes = point, []
        yield self.changes
        self.point, self.changes = UNDISTURBED, []

    def _client(self, service: Any, region: str | None = None) -> Any:
        client = super()._client(service, region)
        client.meta.events.register("before-send", self._before_send)
        return client

    def _before_send(self, request: AWSPreparedRequest, event_name: str, **_: Any) -> None:
        service, operation = event_name.split(".")[1:]
        if operation.startswith(("Get", "List", "Describe")):
            return
        self.changes.append(f"{service}.{operation}")
        if len(self.changes) != self.point.k:
            return
        if self.point.mode != BEFORE:
            assert self.wire.send(request).content is not None
        if self.point.mode == LOST:
            raise ReadTimeoutError(endpoint_url=request.url)
        raise Killed


@dataclass(frozen=True)
class Life:
    """What there was when all was up and when all was down, and the changes of each stage."""

    up: Counter[str]
    plan: str
    down: Counter[str]
    changes: tuple[list[str], ...]


def settled(step: Callable[[], Outcome]) -> Outcome:
    """The outcome after all waits; what is killed is started again."""
    deadline = time.monotonic() + 60
    while True:
        try:
            outcome = step()
        except Killed:
            continue
        if not isinstance(outcome, Waiting):
            return outcome
        assert time.monotonic() < deadline, outcome
        time.sleep(0.2)


def live(clients: StrikingClients, counter_package: Path, point: Point) -> Life:
    """One account with one site, from nothing to nothing."""
    uid = uuid.uuid4().hex[:12]
    zone = f"zone-{uid}.com"
    account_id = clients.sts.get_caller_identity()["Account"]
    site = provisioning.SiteSpec(uid, f"site-{uid}", account_id, "us-east-1", (zone,))
    world = World(clients, counter_package, site)
    with clients.aimed(UNDISTURBED):
        created = clients.route53.create_hosted_zone(Name=zone, CallerReference=uid)

    def stage(verb: Callable[..., Outcome], stack: provisioning.Stack, store: Any) -> list[str]:
        with clients.aimed(point) as changes:
            assert settled(lambda: verb(stack, clients, store, now=START)) == Done()
        return changes

    account = world.account_stack, world.account_store
    account_up = stage(provisioning.advance, *account)
    site_of = world.site_stack, world.site_store
    site_up = stage(provisioning.advance, *site_of)
    up, plan = inventory(world), world.plan().as_text()
    site_down = stage(provisioning.destroy, *site_of)
    account_down = stage(provisioning.destroy, *account)
    down = inventory(world)
    with clients.aimed(UNDISTURBED):
        clients.route53.delete_hosted_zone(Id=created["HostedZone"]["Id"])
    return Life(up, plan, down, (account_up, site_up, site_down, account_down))


Lives = Callable[[Point], Life]


@pytest.fixture(scope="module")
def lives(
    ministack: str, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Lives]:
    """Every life that was asked for, two at a time: half of each is waiting for the emulator."""
    counter_package = package(tmp_path_factory.mktemp("package"))
    idle: SimpleQueue[StrikingClients] = SimpleQueue()
    for _ in range(WORKERS):
        idle.put(StrikingClients(Access(region="us-east-1", endpoint_url=ministack)))

    def with_clients(point: Point) -> Life:
        clients = idle.get()
        try:
            return live(clients, counter_package, point)
        finally:
            idle.put(clients)

    points = {UNDISTURBED} | {
        point
        for item in request.session.items
        if isinstance(item, pytest.Function) and hasattr(item, "callspec")
        if isinstance(point := item.callspec.params.get("point"), Point)
    }
    pool = ThreadPoolExecutor(WORKERS)
    running = {point: pool.submit(with_clients, point) for point in points}
    yield lambda point: running[point].result()
    pool.shutdown(cancel_futures=True)


@pytest.fixture(scope="module")
def undisturbed(lives: Lives) -> Life:
    return lives(UNDISTURBED)


def test_every_change_is_swept(undisturbed: Life):
    assert undisturbed.changes == STAGES


def test_an_undisturbed_life_leaves_nothing_but_its_final_snapshot(undisturbed: Life):
    assert undisturbed.plan == NO_CHANGES
    assert set(undisturbed.up.values()) == {1}
    assert undisturbed.down == REMAINS


@pytest.mark.parametrize("point", POINTS, ids=str)
def test_struck_once_it_ends_the_same(lives: Lives, undisturbed: Life, point: Point):
    life = lives(point)
    assert life.up == undisturbed.up
    assert life.plan == NO_CHANGES
    assert life.down == undisturbed.down


def test_a_certificate_whose_answer_was_lost_is_not_doubled(tmp_path: Path):
    cloud = LocalCloud(tmp_path)
    cloud.start()
    try:
        clients = StrikingClients(Access(region="us-east-1", endpoint_url=cloud.aws_endpoint))
        life = live(clients, package(tmp_path), CERTIFICATE)
    finally:
        cloud.stop()
    assert set(life.up.values()) == {1}
    assert "certificate zone-SITE.com" in life.up
    assert life.plan == NO_CHANGES
    assert life.down == REMAINS
