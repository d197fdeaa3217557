"""The third screen: what is happening, until the address is there. It only reads rows, so it can
be left and come back to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from deployments import launches
from deployments.admin.shown import under_way
from deployments.admin.wizard.frame import screen
from deployments.admin.wizard.steps import PUBLISH, publishing, steps_of
from deployments.errors import DeploymentRefused
from deployments.models import Deployment, Launch
from deployments.target import address
from sites import by_hand
from sites.admin.actions import enqueue
from sites.admin.waits import readable
from sites.errors import Refused, for_people
from sites.models import Operation, Site
from sites.people import Act, may

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def launched(request: HttpRequest, pk: int) -> Launch:
    """One's own. Raises Http404 for any other, and for one whose site is not theirs any more."""
    user = cast("User", request.user)
    rows = Launch.objects.filter(pk=pk, owner=user).select_related("site__account")
    launch = rows.first()
    if launch is None or (launch.site and not may(user, Act.VIEW, launch.site)):
        raise Http404("No such site, or none of yours.")
    return launch


@require_GET
def progress(request: HttpRequest, pk: int) -> HttpResponse:
    launch = launched(request, pk)
    if launch.state == Launch.State.DRAFT:
        return redirect("new-site-draft", pk)
    context = panel_context(launch, cast("User", request.user))
    return screen(request, 3, "deployments/wizard/progress.html", **context)


@require_GET
def panel(request: HttpRequest, pk: int) -> HttpResponse:
    """The part of it that is refreshed."""
    context = panel_context(launched(request, pk), cast("User", request.user))
    return render(request, "deployments/wizard/progress_panel.html", context)


@require_POST
def act(request: HttpRequest, pk: int) -> HttpResponse:
    """What a person can do meanwhile: ``do`` is step, rest or retry."""
    launch, user = launched(request, pk), cast("User", request.user)
    if launch.site is None:
        raise Http404("The site is gone.")
    if not may(user, Act.OPERATE, launch.site):
        raise PermissionDenied
    try:
        with for_people():
            _do(launch, launch.site, request.POST, user)
    except Refused as refused:
        messages.error(request, str(refused))
    return redirect("new-site-progress", pk)


def _do(launch: Launch, site: Site, posted: Any, user: User) -> None:
    do, step = posted.get("do"), posted.get("step", "")
    operation = _running(site)
    if do == "retry":
        launches.retry(launch, user)
    elif do == "rest":
        launches.go_on(launch)
        if operation is not None and operation.by_hand:
            by_hand.let_go(operation)
            enqueue(operation)
    elif do == "step" and step == PUBLISH:
        launches.publish(launch)
    elif do == "step" and operation is not None:
        by_hand.ask(operation, step)
        enqueue(operation)
    else:
        raise DeploymentRefused("That step is under way, or done already.")


def _running(site: Site) -> Operation | None:
    return site.operations.filter(
        status__in=Operation.ACTIVE, kind=Operation.Kind.PROVISION
    ).first()


def panel_context(launch: Launch, user: User) -> dict[str, Any]:
    site = launch.site
    if site is None:
        return {"launch": launch, "site": None, "said": "The site is gone."}
    operations = list(
        site.operations.filter(kind=Operation.Kind.PROVISION).defer("targets").order_by("pk")
    )
    last = operations[-1] if operations else None
    running = last if last and last.status in Operation.ACTIVE else None
    deployment = launches.deployment_of(launch)
    following = by_hand.next_of(running) if running else None
    waits = readable(_without_steps(running))
    failure = _failure(last, deployment)
    steps = steps_of(launch, site, operations, waits, following, failure)
    is_active = deployment is not None and deployment.state in Deployment.ACTIVE
    is_published = deployment is not None and deployment.state == Deployment.State.SUCCESS
    # Without files, or with those of a later deployment.
    is_over = launch.source == Launch.Source.NOTHING or launch.state == Launch.State.DONE
    if launch.source != Launch.Source.NOTHING:
        steps.append(publishing(launch, site, deployment))
    names = {step.logical_id for step in steps}
    context: dict[str, Any] = {
        "launch": launch,
        "site": site,
        "may_act": may(user, Act.OPERATE, site),
        "steps": steps,
        "done": sum(step.state == "done" for step in steps),
        "waits": [wait for wait in waits if wait.what not in names],
        "operation": last,
        "running": running,
        "following": None if failure else _next(steps, is_by_hand=_is_by_hand(launch, running)),
        "failure": failure,
        "deployment": deployment,
        "under_way": under_way([deployment]) if deployment and is_active else [],
        "address": address(site),
        "is_there": is_published or (is_over and site.state == Site.State.LIVE),
    }
    # A site that answers gets its files, whatever else of it failed; one that was being changed
    # when it was read has an end by now.
    goes_on = is_active or launches.is_next(launch, site) or site.state in Site.CHANGING
    context["is_refreshed"] = launch.state == Launch.State.RUNNING and (goes_on or not failure)
    return context | {"said": _said(context)}


def _without_steps(running: Operation | None) -> list[dict[str, Any]]:
    """What it waits for, but for a person's word: that is the next step."""
    return [wait for wait in running.waits if not wait.get("asks")] if running else []


def _is_by_hand(launch: Launch, running: Operation | None) -> bool:
    return running.by_hand if running else launch.by_hand


def _next(steps: list[Any], *, is_by_hand: bool) -> Any:
    return next((step for step in steps if is_by_hand and step.state == "next"), None)


def _failure(last: Operation | None, deployment: Deployment | None) -> str:
    if last is not None and last.status in Operation.FAILED:
        return last.error_message or "It ended without a reason."
    if deployment is not None and deployment.state in Deployment.FAILED:
        return deployment.error_message or "It ended without a reason."
    return ""


def _said(context: dict[str, Any]) -> str:
    """The state in a sentence, for those who hear the page."""
    if context["failure"]:
        return f"It stopped. {context['failure']}"
    if context["is_there"]:
        return f"{context['site'].name} is live at {context['address']}"
    if context["following"]:
        return f"Next: {context['following'].lesson.title}. It is done when you say so."
    return f"{context['done']} of {len(context['steps'])} steps are done."
