"""The first screen: what the new site is. Whatever is sent is kept, be it right or not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from deployments import launches
from deployments.admin.deploy import ARCHIVES
from deployments.admin.shown import refused_paths
from deployments.admin.wizard.forms import DraftForm, in_dns, wrong_with_name
from deployments.admin.wizard.frame import screen
from deployments.errors import DeploymentRefused
from deployments.models import Launch
from deployments.source import SourceRefused
from deployments.source.rules import LIMITS
from deployments.source.tree import START_PAGE
from sites.errors import Refused, for_people
from sites.models import Account
from sites.people import Act, may
from sites.preflight import about_domain

if TYPE_CHECKING:
    from django.contrib.auth.models import User

UNFINISHED = 20
# Each may hold a file of gigabytes.
MOST_DRAFTS = 20


def own(request: HttpRequest, pk: int) -> Launch:
    """Raises PermissionDenied, and Http404 for somebody else's."""
    raise_if_not_allowed(request)
    rows = Launch.objects.select_related("team", "account", "site")
    return get_object_or_404(rows, pk=pk, owner=request.user)


def raise_if_not_allowed(request: HttpRequest) -> None:
    if not may(cast("User", request.user), Act.CREATE):
        raise PermissionDenied


def new(request: HttpRequest) -> HttpResponse:
    """GET: an empty first screen, with what was left unfinished. POST: a new draft."""
    raise_if_not_allowed(request)
    user = cast("User", request.user)
    if request.method == "POST":
        if Launch.objects.filter(owner=user, state=Launch.State.DRAFT).count() >= MOST_DRAFTS:
            messages.error(request, f"You have {MOST_DRAFTS} drafts. Discard one of them first.")
            return _answer(request, reverse("new-site"))
        return _sent(request, Launch(owner=user))
    begun = Launch.objects.filter(owner=user).exclude(state=Launch.State.DONE)
    return _first_screen(request, None, DraftForm(user=user), launches=begun[:UNFINISHED])


def draft(request: HttpRequest, pk: int) -> HttpResponse:
    """The same for a draft; one that was launched leads to how far it is."""
    launch = own(request, pk)
    if launch.state != Launch.State.DRAFT:
        return _answer(request, reverse("new-site-progress", args=[pk]))
    if request.method == "POST":
        return _sent(request, launch)
    return _first_screen(request, launch, DraftForm.of(launch, cast("User", request.user)))


@require_POST
def discard(request: HttpRequest, pk: int) -> HttpResponse:
    launches.discard(own(request, pk))
    return redirect("new-site")


@require_GET
def name(request: HttpRequest) -> HttpResponse:
    """Whether a name is free, and the address that it gives."""
    raise_if_not_allowed(request)
    typed = request.GET.get("name", "").strip()
    context = {"problem": wrong_with_name(typed) if typed else "", "name": typed}
    return render(
        request, "deployments/wizard/name.html", {**context, "address": _address_of(typed)}
    )


@require_GET
def domain(request: HttpRequest) -> HttpResponse:
    """What the DNS and the account say about a domain. Takes seconds."""
    raise_if_not_allowed(request)
    form = DraftForm(request.GET, user=cast("User", request.user))
    form.is_valid()
    typed = request.GET.get("domain", "")
    context: dict[str, Any] = {"typed": typed}
    try:
        context["name"] = in_dns(typed)
    except ValidationError as error:
        context["problem"] = " ".join(error.messages)
    else:
        problems = form.errors.get("domain")
        account = form.cleaned_data.get("account")
        if problems:
            context["problem"] = " ".join(map(str, problems))
        elif context["name"] and account:
            context |= _looked_up(account, context["name"])
    return render(request, "deployments/wizard/domain.html", context)


def _looked_up(account: Account, name: str) -> dict[str, Any]:
    try:
        with for_people():
            found = about_domain(account, name)
    except Refused as refused:
        return {"problem": f"It could not be looked up now. {refused}"}
    return {
        "was_looked_up": True,
        "blocking": [finding for finding in found if finding.blocks],
        "notes": [finding for finding in found if not finding.blocks],
    }


def _sent(request: HttpRequest, launch: Launch) -> HttpResponse:
    form = DraftForm(request.POST, user=cast("User", request.user))
    kept = form.kept()
    try:
        if launch._state.adding:
            launch.save(force_insert=True)
        launches.write(launch, was_sent=True, refused="", **kept)
        file = request.FILES.get("file")
        if file is not None and launch.source == Launch.Source.FILES:
            _keep(launch, file, request.POST.getlist("allow"))
    except DeploymentRefused:
        return _answer(request, reverse("new-site-progress", args=[launch.pk]))
    is_fit = form.is_valid() and not launch.refused and not _misses_files(launch)
    page = "new-site-plan" if is_fit else "new-site-draft"
    return _answer(request, reverse(page, args=[launch.pk]))


def _keep(launch: Launch, file: UploadedFile[bytes], allow: list[str]) -> None:
    try:
        launches.keep_file(launch, file.name or "archive", file.chunks(), allow)
    except SourceRefused as refused:
        launches.write(launch, refused=str(refused))
    except OSError as error:
        launches.write(
            launch, refused=f"There is no room for it on cloudadmin's disk ({error.strerror})."
        )


def _misses_files(launch: Launch) -> bool:
    return launch.source == Launch.Source.FILES and not launch.file


def _answer(request: HttpRequest, url: str) -> HttpResponse:
    """A script that sends the form with a progress bar is told where to go on."""
    if request.headers.get("Accept") == "application/json":
        return JsonResponse({"url": url})
    return HttpResponseRedirect(url)


def _first_screen(
    request: HttpRequest, launch: Launch | None, form: DraftForm, **context: Any
) -> HttpResponse:
    problems: dict[str, Any] = {}
    if launch is not None and launch.was_sent:
        problems = {name: errors[0] for name, errors in form.errors.items()}
        if launch.refused:
            problems["file"] = launch.refused
        elif _misses_files(launch):
            problems["file"] = "Choose a folder or an archive, or drop one here."
    values = launch or Launch(source=Launch.Source.FILES)
    refused = refused_paths(values.refused)
    return screen(
        request,
        1,
        "deployments/wizard/draft.html",
        launch=launch,
        values=values,
        form=form,
        problems=problems,
        archives=ARCHIVES,
        refused=refused,
        misses_start_page=refused == [START_PAGE],
        limits=LIMITS,
        action=reverse("new-site-draft", args=[launch.pk]) if launch else reverse("new-site"),
        **context,
    )


def _address_of(name: str) -> str:
    """Known beforehand on the local cloud alone; AWS draws the distribution's name."""
    edge_url: str | None = settings.CLOUDADMIN_EDGE_URL
    if not (edge_url and name):
        return ""
    edge = urlsplit(edge_url)
    return f"{edge.scheme}://{name}.localhost:{edge.port or 80}/"
