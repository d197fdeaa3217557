"""The second screen: what would be made and what it costs, before the one button."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from deployments import launches
from deployments.admin.wizard.draft import own
from deployments.admin.wizard.forms import DraftForm
from deployments.admin.wizard.frame import screen
from deployments.models import Launch
from deployments.pushes.branches import raise_if_silent
from deployments.source import SourceRefused
from sites import prospects
from sites.admin.plan import ShownPlan
from sites.errors import Refused, for_people
from sites.provisioning import Plan, ProvisioningError
from sites.provisioning.lessons import Lesson, lesson_of
from sites.provisioning.plan import Change
from sites.provisioning.preflight import Finding

if TYPE_CHECKING:
    from django.contrib.auth.models import User


@dataclass(frozen=True)
class Explained:
    """A change with what it is for."""

    change: Change
    lesson: Lesson

    @property
    def commands(self) -> list[tuple[Any, str]]:
        return [(call, call.as_command(self.change.label)) for call in self.lesson.calls]


def plan(request: HttpRequest, pk: int) -> HttpResponse:
    """GET: the plan, whose slow part comes by itself. POST: launch it."""
    launch = own(request, pk)
    if launch.state != Launch.State.DRAFT:
        return redirect("new-site-progress", pk)
    if not _is_fit(launch, cast("User", request.user)):
        return redirect("new-site-draft", pk)
    if request.method == "POST":
        return _launch(request, launch)
    if "part" not in request.GET:
        return screen(request, 2, "deployments/wizard/plan.html", launch=launch, is_coming=True)
    context = _explained(launch)
    return screen(request, 2, "deployments/wizard/plan_part.html", launch=launch, **context)


def _is_fit(launch: Launch, user: User) -> bool:
    has_files = launch.source != Launch.Source.FILES or bool(launch.file)
    return DraftForm.of(launch, user).is_valid() and has_files


def _launch(request: HttpRequest, launch: Launch) -> HttpResponse:
    try:
        with for_people():
            launches.launch(
                launch,
                request.POST.get("checksum", ""),
                by_hand=request.POST.get("style") == "steps",
            )
    except Refused as refused:
        messages.error(request, str(refused))
        return redirect("new-site-draft", launch.pk)
    return redirect("new-site-progress", launch.pk)


def _explained(launch: Launch) -> dict[str, Any]:
    """Takes seconds; what refuses it is said in its place."""
    try:
        with for_people():
            if launch.source == Launch.Source.GIT:
                raise_if_silent(launch.git_url)
            site, domains = launches.new_site(launch), launches.domain_of(launch)
            planned = prospects.plan(site, domains)
            found = prospects.findings(site, domains, planned)
    except (Refused, ProvisioningError, SourceRefused) as error:
        return {"problem": str(error)}
    launches.shown_plan(launch, planned.as_json())
    return {
        "shown": ShownPlan(planned),
        "groups": list(_groups(planned)),
        **_told(found),
    }


def _told(found: tuple[Finding, ...]) -> dict[str, Any]:
    return {
        "blocking": [finding for finding in found if finding.blocks],
        "notes": [finding for finding in found if not finding.blocks],
    }


def _groups(planned: Plan) -> Iterator[tuple[str, list[Explained]]]:
    effective = {*map(id, planned.effective)}
    for title, changes in (
        ("For this site", planned.changes),
        ("Once for the account, shared by all its sites", planned.shared),
    ):
        explained = [
            Explained(change, lesson_of(change.type, change.action, change.logical_id))
            for change in changes
            if id(change) in effective
        ]
        if explained:
            yield title, explained
