"""How far a new site is: each thing that is made for it, what it is for, and what it waits for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from deployments.models import Deployment, Launch
from sites.admin.waits import ReadableWait
from sites.by_hand import Next
from sites.models import Operation, Resource, Site
from sites.provisioning.costs import Cost, cost_of
from sites.provisioning.lessons import Call, Lesson, lesson_of
from sites.provisioning.plan import in_words
from sites.provisioning.resources import TYPES

PUBLISH = "publish"
PUBLISHING = Lesson(
    "Your files",
    "They are sent to the storage, each once, and shown to everybody at the same moment.",
    (
        Call(
            "s3",
            "PutObject",
            "stores a file; sent for each one that is not there yet.",
            "--bucket BUCKET --key objects/HASH/index.html --body index.html",
        ),
        Call(
            "cloudfront-keyvaluestore",
            "UpdateKeys",
            "writes where each file is, then switches all visitors over by one key.",
            "--kvs-arn ARN --if-match ETAG --puts file://keys.json",
        ),
    ),
)
PRICE_OF_PUBLISHING = Cost(by_use="$0.005 per 1,000 files that are new, and $0.001 for the rest")
WORDS = {
    "done": "done",
    "failed": "failed",
    "busy": "being made",
    "waiting": "AWS is at it",
    "next": "next",
    "coming": "to come",
}


@dataclass(frozen=True)
class Step:
    """``state``: a key of WORDS. ``wait`` tells what it waits for, ``since`` when that began."""

    logical_id: str
    label: str
    lesson: Lesson
    state: str
    cost: Cost = field(default_factory=Cost)
    since: datetime | None = None
    waits_for: str = ""
    usual_wait: str = ""
    wait: ReadableWait | None = None
    is_shared: bool = False

    @property
    def words(self) -> str:
        return WORDS[self.state]

    @property
    def commands(self) -> Iterator[tuple[Call, str]]:
        for call in self.lesson.calls:
            yield call, call.as_command(self.label)


def steps_of(
    launch: Launch,
    site: Site,
    operations: Iterable[Operation],
    waits: Iterable[ReadableWait],
    following: Next | None,
    failure: str,
) -> list[Step]:
    """In the order of the plan that was shown; what a later plan added comes after it."""
    planned: dict[str, dict[str, Any]] = {}
    for changes in (launch.plan, *(operation.plan for operation in operations)):
        for change in changes.get("changes", ()):
            planned.setdefault(change["logical_id"], change)
    rows = {row.logical_id: row for row in _rows(site)}
    told = {wait.what: wait for wait in waits}
    # It begins with what failed, as in “bucket.create: …”.
    failed = failure.partition(": ")[0].rpartition(".")[0]
    busy = next((each.chosen for each in operations if each.chosen), "")
    return [
        replace(step, state="failed") if name == failed else step
        for name, change in planned.items()
        for step in [_step(change, rows.get(name), told.get(name), following, busy)]
    ]


def _rows(site: Site) -> QuerySet[Resource]:
    """Its own, and those that it shares."""
    rows = Resource.objects.filter(Q(site=site) | Q(account=site.account_id, site=None))
    return rows.only(
        *("logical_id", "site", "physical_id", "is_ready", "waiting_for", "waiting_since"), "type"
    )


def _step(
    change: dict[str, Any],
    row: Resource | None,
    wait: ReadableWait | None,
    following: Next | None,
    busy: str,
) -> Step:
    name = change["logical_id"]
    is_next = following is not None and following.logical_id == name
    state = _state(row, is_chosen=busy == name, is_next=is_next)
    waits = row is not None and state == "waiting"
    action = following.action if following and is_next else "create"
    return Step(
        logical_id=name,
        label=change["label"],
        lesson=lesson_of(change["type"], action, name),
        state=state,
        cost=cost_of(change["type"]),
        since=row.waiting_since if row and waits else None,
        waits_for=row.waiting_for if row and waits else "",
        usual_wait=_usual_wait(change["type"]) if waits else "",
        wait=wait if state in ("waiting", "busy") else None,
        is_shared=row is not None and row.site_id is None,
    )


def _usual_wait(resource_type: str) -> str:
    seconds = TYPES[resource_type].usual_wait
    return in_words(seconds) if seconds else ""


def _state(row: Resource | None, *, is_chosen: bool, is_next: bool) -> str:
    if is_chosen:
        return "busy"
    if is_next:
        return "next"
    if row is None:
        return "coming"
    if not row.physical_id:
        return "waiting" if row.waiting_for else "busy"
    return "done" if row.is_ready else "waiting"


def publishing(launch: Launch, site: Site, deployment: Deployment | None) -> Step:
    """The last step: the files."""
    is_live = site.state == Site.State.LIVE
    if deployment is None:
        by_hand = launch.by_hand and not launch.may_publish
        state = "coming" if not is_live else "next" if by_hand else "busy"
    elif deployment.state in Deployment.ACTIVE:
        state = "busy"
    else:
        state = "failed" if deployment.state in Deployment.FAILED else "done"
    return Step(PUBLISH, launch.name, PUBLISHING, state, PRICE_OF_PUBLISHING)
