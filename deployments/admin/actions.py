"""What a person can have done to a site's releases, each with its confirm page."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from zipfile import is_zipfile

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from deployments import invalidation_rows, tasks, uploads
from deployments.models import Deployment
from deployments.rollback import rollback
from sites.admin.actions import SiteAction, SiteForm
from sites.errors import Refused
from sites.models import Site

if TYPE_CHECKING:
    from django.contrib.auth.models import User

# What a release needs of its site.
SERVING = frozenset({"bucket", "key_value_store", "distribution"})


class ServingAction(SiteAction):
    """Offered once there is something to publish to."""

    def is_offered(self, site: Site, ready: frozenset[str]) -> bool:
        return ready >= SERVING and site.state != Site.State.DESTROYING


class DeployForm(SiteForm):
    file = forms.FileField(
        label="Zip file",
        help_text="The site as it is to be served, with index.html at the top or in one folder.",
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".zip,application/zip"}),
    )
    message = forms.CharField(
        label="Message",
        help_text="What this deployment is about, for the list of deployments.",
        required=False,
        max_length=500,
        widget=UnfoldAdminTextInputWidget(),
    )

    def clean_file(self) -> UploadedFile[bytes]:
        file: UploadedFile[bytes] = self.cleaned_data["file"]
        if not is_zipfile(file):
            raise forms.ValidationError(
                f"“{file.name}” is not a zip file. Pack the folder of your site as a zip."
            )
        file.seek(0)
        return file


class Deploy(ServingAction):
    slug, title, icon = "deploy", "Deploy a zip", "upload"
    form_class = DeployForm

    def explain(self, site: Site, form: SiteForm) -> dict[str, Any]:
        return {
            "says": [
                "Files that are there already are not sent again. Visitors get the new version "
                "all at once; it is checked at the edge, and taken back if the check fails."
            ]
        }

    def act(self, site: Site, form: SiteForm, user: User) -> str:
        data = form.cleaned_data
        deployment = uploads.receive(site, data["file"], message=data["message"], creator=user)
        transaction.on_commit(partial(tasks.deploy_upload.delay, deployment.pk))
        return f"Deployment #{deployment.number} has started; this page shows how far it is."


class RollbackForm(SiteForm):
    to = forms.IntegerField(widget=forms.HiddenInput, required=False)


class Rollback(ServingAction):
    slug, title, icon = "rollback", "Roll back", "history"
    form_class = RollbackForm

    def explain(self, site: Site, form: SiteForm) -> dict[str, Any]:
        number = form["to"].value()
        target = f"deployment #{number}" if number else "the deployment before the current one"
        return {
            "says": [
                f"Serve {target} to every visitor again. Nothing is uploaded, and the current "
                "deployment stays, so that you can come back to it."
            ]
        }

    def act(self, site: Site, form: SiteForm, user: User) -> str:
        deployment = rollback(site, form.cleaned_data["to"], user)
        if deployment.state in Deployment.ACTIVE:
            transaction.on_commit(partial(tasks.resume_deployment.delay, deployment.pk))
            return f"Deployment #{deployment.number} brings the earlier files back; see below."
        return f"Deployment #{deployment.number} of {site.name} is served again."


class PathsForm(SiteForm):
    paths = forms.CharField(
        label="Paths, one per line",
        help_text="Such as /data/* or /feed.xml. AWS gives 1,000 paths a month for nothing.",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 6, "spellcheck": "false"}),
    )

    def clean_paths(self) -> list[str]:
        return [line.strip() for line in self.cleaned_data["paths"].splitlines() if line.strip()]


class Invalidate(ServingAction):
    slug, title, icon = "invalidate", "Invalidate paths", "cached"
    form_class = PathsForm

    def explain(self, site: Site, form: SiteForm) -> dict[str, Any]:
        return {
            "says": [
                "CloudFront forgets these paths and asks for them anew. Deployments never need "
                "this; what functions write under /data/ may."
            ]
        }

    def act(self, site: Site, form: SiteForm, user: User) -> str:
        try:
            row = invalidation_rows.request(site, form.cleaned_data["paths"])
        except ValueError as refused:
            raise Refused(str(refused)) from refused
        transaction.on_commit(partial(tasks.send_invalidation.delay, row.pk))
        return f"The invalidation of {row} is on its way."
