"""``invalidate_site``, as a person and as a program read it; and through the local cloud."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.models import F

from cloudadmin.aws import ClientError
from deployments.invalidations import running
from deployments.management.commands import invalidate_site
from deployments.manifest import Entry, Manifest
from deployments.models import Invalidation
from sites.models import Site
from tests.factories import DeploymentFactory, InvalidationFactory, SiteFactory
from tests.localcloud.conftest import LocalCloud
from tests.localcloud.world import World

pytestmark = pytest.mark.django_db
Status = Invalidation.Status


class CloudFront:
    """Answers that it was told to give, the last one for ever."""

    def __init__(self, *answers: str | Exception) -> None:
        self.answers = list(answers)

    def create_invalidation(self, **_: Any) -> Any:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return {"Invalidation": {"Id": "I1", "Status": answer}}

    get_invalidation = create_invalidation


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setattr(running, "GATHERED", timedelta(0))
    return SiteFactory(live=True, serving=True)


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch, site: Site) -> CloudFront:
    cloudfront = CloudFront("InProgress")
    clients = SimpleNamespace(cloudfront=cloudfront)
    monkeypatch.setattr(running, "clients_for", lambda account: clients)
    monkeypatch.setattr(invalidate_site, "LOOK_AGAIN_SECONDS", 0.001)
    return cloudfront


def run(*arguments: object) -> str:
    out = StringIO()
    call_command("invalidate_site", *map(str, arguments), stdout=out, stderr=StringIO())
    return out.getvalue()


def test_it_is_sent(site, answers):
    assert run(site, "/feed.xml") == "Invalidation I1: InProgress (/feed.xml)\n"


def test_it_is_waited_for(site, answers):
    answers.answers = ["InProgress", "InProgress", "Completed"]
    shown = json.loads(run(site, "/feed.xml", "--wait", "--json"))
    row = Invalidation.objects.get()
    assert shown == {
        "id": row.pk,
        "invalidation_id": "I1",
        "status": "Completed",
        "paths": ["/feed.xml"],
        "waits_for": "",
        "error": "",
    }


def test_what_takes_longer_goes_on_by_itself(site, answers, monkeypatch):
    monkeypatch.setattr(invalidate_site, "WAIT_SECONDS", 0.01)
    with pytest.raises(CommandError, match="goes on by itself") as raised:
        run(site, "/feed.xml", "--wait")
    assert raised.value.returncode == 75


def test_what_has_no_room_is_told_and_left(site, answers):
    InvalidationFactory(site=site, paths=[f"/{n}/*" for n in range(15)], status=Status.IN_PROGRESS)
    shown = json.loads(run(site, "/data/*", "--json"))
    assert shown["status"] == Status.QUEUED
    assert "15 of the 15 wildcard paths" in shown["waits_for"]


def test_it_goes_with_an_earlier_one(site, answers):
    earlier = InvalidationFactory(site=site, paths=["/a"])
    shown = json.loads(run(site, "/b", "--json"))
    assert (shown["id"], shown["paths"]) == (earlier.pk, ["/a", "/b"])


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_refusal_is_told(site, answers, options):
    answers.answers = [
        ClientError({"Error": {"Code": "AccessDenied", "Message": "No."}}, "CreateInvalidation")
    ]
    with pytest.raises(CommandError, match="AccessDenied"):
        run(site, "/b", *options)


@pytest.mark.parametrize("options", [[], ["--plan"]])
def test_what_is_no_path_is_refused(site, options):
    with pytest.raises(CommandError, match="cache tag"):
        run(site, "#news", *options)
    assert not Invalidation.objects.exists()


def test_a_plan_is_shown_and_nothing_is_sent(site):
    entry = Entry("0" * 64, 1, "text/plain", "no-cache")
    manifest = Manifest(dict.fromkeys(["café.html", "cafe.html"], entry))
    DeploymentFactory(site=site, current=True, manifest=manifest.to_bytes())
    shown = run(site, "/café.html", "/x", "--plan")
    assert "for nothing:" in shown
    assert "takes 1 more that nobody asked for: /cafe.html" in shown
    assert json.loads(run(site, "/café.html", "/x", "--plan", "--json")) == {
        "paths": ["/caf*", "/x"],
        "takes_besides": {"/caf*": 1},
        "price": 0.0,
        "used": 0,
        "free_left": 1000,
    }
    assert not Invalidation.objects.exists()


# --- Through the local cloud ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Where an invalidation is in progress for half a second."""
    cloud = LocalCloud(tmp_path_factory.mktemp("invalidations"), propagation=0.5)
    cloud.start()
    world = World(cloud.aws_endpoint)
    world.distribution = world.distribute(world.plain())["Distribution"]["Id"]
    yield world
    cloud.stop()


def test_twenty_at_once_are_all_completed_within_the_quotas(site, slow, settings):
    settings.AWS_ENDPOINT_URL = slow.endpoint
    settings.CLOUDADMIN_AWS_PACE = 0
    site.resources.filter(logical_id="distribution").update(physical_id=slow.distribution)
    # Somebody else's, of which we know nothing.
    slow.invalidate(*(f"/theirs/{n}/*" for n in range(10)))
    seen = set()
    for n in range(20):
        row = running.request(site, [f"/{n}/*"])
        running.advance(row.pk)
    deadline = time.monotonic() + 120
    while due := running.due():
        assert time.monotonic() < deadline, list(Invalidation.objects.values())
        for pk in due:
            running.advance(pk)
        active = Invalidation.objects.filter(status__in=Invalidation.ACTIVE)
        seen |= {running.waits_for(each)[:10] for each in active}
    assert "CloudFront" in seen
    merged = Invalidation.objects.filter(status=Status.MERGED)
    sent = Invalidation.objects.filter(status=Status.COMPLETED, completed_at__gt=F("submitted_at"))
    assert merged.filter(merged_into__in=sent).count() + sent.count() == 20
