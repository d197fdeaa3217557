"""An archive of a site, dropped on its page or chosen there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import reverse
from unfold.widgets import (
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from deployments import lane, operations, previews, tasks, uploads
from deployments.admin.actions import DEPLOY, ServingAction
from deployments.admin.shown import refused_paths
from deployments.errors import DeploymentRefused
from deployments.models import Deployment
from deployments.source.compression import COMPRESSED
from deployments.source.opening import ELSEWHERE, ZIP
from deployments.source.tar_archive import BLOCK, is_tar
from deployments.source.tree import START_PAGE
from sites.admin.actions import SiteForm
from sites.admin.base import ModelAdmin
from sites.models import Site
from sites.waking import wake

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.template.response import TemplateResponse

Environment = Deployment.Environment
NO_START_PAGE = "It may be missing then: the site's address alone says that nothing is found there."
# A page alone is packed by the browser (folder.js).
ARCHIVES = ".zip,.tar,.tar.gz,.tgz,.tar.zst,.tar.bz2,.html,.htm"


class DeployForm(SiteForm):
    """``again`` is the number of a deployment whose paths were refused; only then is there a field
    to let some through. ``deployment`` is what came of it."""

    deployment: Deployment
    again = forms.IntegerField(widget=forms.HiddenInput, required=False)
    file = forms.FileField(
        label="Archive",
        widget=forms.FileInput(attrs={"accept": ARCHIVES, "class": "file-input"}),
        error_messages={
            "required": "Choose an archive, or drop one here.",
            "empty": "This archive has no bytes in it. Pack the folder of your site again.",
        },
    )
    environment = forms.ChoiceField(
        label="Where to",
        choices=[
            (Environment.PRODUCTION, "Publish: every visitor gets it at once"),
            (Environment.PREVIEW, "Preview: at an address of its own"),
        ],
        initial=Environment.PRODUCTION,
        widget=UnfoldAdminRadioSelectWidget(),
    )
    label = forms.CharField(
        label="Name of the preview",
        help_text="The first part of its address; left empty, the deployment's number.",
        required=False,
        max_length=100,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    message = forms.CharField(
        label="Message",
        help_text="What this deployment is about, for the list of deployments.",
        required=False,
        max_length=500,
        widget=UnfoldAdminTextInputWidget(),
    )
    allow = forms.CharField(
        label="Paths to let through, one per line",
        help_text="They look secret, and everybody will be able to read them. Leave in only what "
        "is meant to be public.",
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3, "spellcheck": "false"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.no_previews = _why_no_previews(self.site)
        if self.no_previews:
            del self.fields["environment"], self.fields["label"]
        refused = self._refused()
        if refused is None:
            del self.fields["allow"]
        else:
            paths = refused_paths(refused.error_message)
            self.initial.setdefault("allow", "\n".join(paths))
            if paths == [START_PAGE]:
                self.fields["allow"].help_text = NO_START_PAGE
            self.initial.setdefault("message", refused.description)

    def stopped(self) -> str:
        """Why what is deployed now is not published by itself; empty when it is."""
        return lane.stopped_because(self.site)

    def clean_file(self) -> UploadedFile[bytes]:
        file: UploadedFile[bytes] = self.cleaned_data["file"]
        beginning = file.read(BLOCK)
        file.seek(0)
        for magic, (what, instead) in ELSEWHERE.items():
            if beginning.startswith(magic):
                raise forms.ValidationError(
                    f"“{file.name}” is {what}; {instead} and pack the folder as a zip."
                )
        if not beginning.startswith((*ZIP, *COMPRESSED)) and not is_tar(beginning):
            raise forms.ValidationError(
                f"“{file.name}” is not an archive. Pack the folder of your site as a zip or tar."
            )
        return file

    def clean_allow(self) -> list[str]:
        return [line.strip() for line in self.cleaned_data["allow"].splitlines() if line.strip()]

    def _refused(self) -> Deployment | None:
        number = str(self["again"].value() or "")
        if not (number.isascii() and number.isdigit()) or len(number) > 9:
            return None
        rows = self.site.deployments.filter(number=number, state=Deployment.State.FAILURE)
        found: Deployment | None = rows.defer("manifest").first()
        return found


class Deploy(ServingAction):
    slug, title, icon = "deploy", "Deploy", "upload"
    permission = DEPLOY
    form_class = DeployForm
    template = "deployments/deploy.html"

    def view(self, request: HttpRequest, site: Site, model_admin: ModelAdmin[Site]) -> HttpResponse:
        """A script that sends the form with a progress bar gets JSON: where to go on, or what is
        wrong, with the form still as it was filled in."""
        response = super().view(request, site, model_admin)
        if request.headers.get("Accept") != "application/json":
            return response
        if isinstance(response, HttpResponseRedirect):
            return JsonResponse({"url": response.url})
        errors = cast("TemplateResponse", response).context_data["form"].errors  # type: ignore[index]
        problems = [str(error) for field in errors.values() for error in field]
        return JsonResponse({"problems": problems}, status=422)

    def leads_to(self, site: Site, form: SiteForm) -> str:
        """To its log."""
        deployment = cast("DeployForm", form).deployment
        return reverse("admin:deployments_deployment_change", args=[deployment.pk])

    def act(self, site: Site, form: SiteForm, user: User) -> str:
        data, file = form.cleaned_data, form.cleaned_data["file"]
        environment = data.get("environment") or Environment.PRODUCTION
        label = data.get("label", "") if environment == Environment.PREVIEW else ""
        deployment = operations.create(
            site,
            file.name or "archive",
            message=data["message"],
            creator=user,
            environment=environment,
            trigger=Deployment.Trigger.DASHBOARD,
            label=previews.label_of(label) if label else "",
            allowed=data.get("allow", ()),
        )
        uploads.keep(deployment, file.chunks())
        wake(tasks.deploy_upload.delay, deployment.pk)
        cast("DeployForm", form).deployment = deployment
        return f"Deployment #{deployment.number} has started; this page shows how far it is."


def _why_no_previews(site: Site) -> str:
    try:
        previews.domain_of(site)
    except DeploymentRefused as refused:
        return str(refused)
    return ""
