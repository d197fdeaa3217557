"""Which deployment is served, and whether new ones are by themselves."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from django import forms
from django.db import transaction
from django.shortcuts import get_object_or_404
from django.utils import timezone
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from deployments import lane, operations, previews, publish, tasks
from deployments import manifest as manifests
from deployments.admin.actions import ServingAction
from deployments.manifest import Diff
from deployments.models import Deployment
from deployments.rollback import kept, rollback
from sites.admin.actions import SiteAction, SiteForm
from sites.models import Site

if TYPE_CHECKING:
    from django.contrib.auth.models import User


class NumberForm(SiteForm):
    to = forms.IntegerField(widget=forms.HiddenInput, required=False, max_value=2**31 - 1)


class Rollback(ServingAction):
    """Back, or forward: ``to`` says which; without it, the one before."""

    slug, title, icon = "rollback", "Roll back", "history"
    form_class = NumberForm
    template = "deployments/publish.html"

    def explain(self, site: Site, form: SiteForm) -> dict[str, Any]:
        number = _number_of(form)
        served, target = publish.served(site), _target(site, number)
        if target is None:
            return {"problem": _why_none(site, number)}
        before = publish.manifest_of(served) if served else manifests.Manifest({})
        is_forward = served is None or target.number > served.number
        return {
            "target": target,
            "served": served,
            "is_forward": is_forward,
            "differences": in_words(manifests.diff(before, publish.manifest_of(target))),
        }

    def act(self, site: Site, form: SiteForm, user: User) -> str:
        deployment = rollback(site, form.cleaned_data["to"], user)
        if deployment.state in Deployment.ACTIVE:
            transaction.on_commit(partial(tasks.resume_deployment.delay, deployment.pk))
            return f"Deployment #{deployment.number} brings those files back; see below."
        return f"Deployment #{deployment.number} of {site.name} is served now."


class Publish(Rollback):
    """The same by the word for what is newer, or was a preview alone."""

    slug, title, icon = "publish", "Publish", "publish"


class Cancel(SiteAction):
    slug, title, icon = "cancel", "Cancel the deployment", "cancel"
    form_class = NumberForm
    danger = True

    def explain(self, site: Site, form: SiteForm) -> dict[str, Any]:
        return {
            "says": [
                f"Deployment #{_number_of(form)} ends here, and nothing of it is published. What "
                "was uploaded stays, so that the next deployment has less to send."
            ]
        }

    def act(self, site: Site, form: SiteForm, user: User) -> str:
        row = get_object_or_404(site.deployments.defer("manifest"), number=form.cleaned_data["to"])
        operations.request_cancel(row)
        if row.state in Deployment.ACTIVE:
            return f"Deployment #{row.number} is being cancelled; that takes a few seconds."
        return f"Deployment #{row.number} is cancelled."


class LabelForm(SiteForm):
    label = forms.CharField(widget=forms.HiddenInput, max_length=63)


class ClosePreview(SiteAction):
    slug, title, icon = "close-preview", "Close the preview", "close"
    form_class = LabelForm
    danger = True

    def explain(self, site: Site, form: SiteForm) -> dict[str, Any]:
        return {
            "says": [
                f"Nobody can open the preview “{form['label'].value()}” any more; if it is of a "
                "branch, those before it go too. What was deployed stays, and can be published."
            ]
        }

    def act(self, site: Site, form: SiteForm, user: User) -> str:
        numbers = previews.close(site, form.cleaned_data["label"])
        return f"Closed: {', '.join(f'#{number}' for number in numbers)}."


class LockForm(SiteForm):
    reason = forms.CharField(
        label="Why",
        help_text="Whoever deploys meanwhile reads it, as in “Sale until Monday”.",
        max_length=300,
        widget=UnfoldAdminTextInputWidget(),
    )
    hours = forms.TypedChoiceField(
        label="For how long",
        choices=[
            ("", "Until somebody unlocks it"),
            (1, "1 hour"),
            (4, "4 hours"),
            (12, "12 hours"),
            (24, "1 day"),
            (72, "3 days"),
            (168, "1 week"),
        ],
        coerce=int,
        empty_value=None,
        required=False,
        widget=UnfoldAdminSelectWidget(),
    )


class Lock(ServingAction):
    slug, title, icon = "lock", "Lock", "lock"
    form_class = LockForm

    def explain(self, site: Site, form: SiteForm) -> dict[str, Any]:
        return {
            "says": [
                "What is served stays as it is. Deployments are uploaded and made ready meanwhile, "
                "each one click away from being published. Previews go on as always."
            ]
        }

    def act(self, site: Site, form: SiteForm, user: User) -> str:
        hours = form.cleaned_data["hours"]
        until = timezone.now() + timedelta(hours=hours) if hours else None
        lane.lock(site, form.cleaned_data["reason"], user.get_username(), until)
        return f"{lane.stopped_because(site)}."


class Unlock(SiteAction):
    slug, title, icon = "unlock", "Unlock", "lock_open"

    def explain(self, site: Site, form: SiteForm) -> dict[str, Any]:
        return {"says": [AGAIN, *_what_is_ready(site)]}

    def act(self, site: Site, form: SiteForm, user: User) -> str:
        lane.unlock(site)
        return f"{site.name} is unlocked."


class Resume(SiteAction):
    slug, title, icon = "resume", "Publish by itself again", "play_arrow"

    def explain(self, site: Site, form: SiteForm) -> dict[str, Any]:
        return {"says": [AGAIN, *_what_is_ready(site)]}

    def act(self, site: Site, form: SiteForm, user: User) -> str:
        lane.release_hold(site)
        return f"The next deployments of {site.name} are published by themselves."


AGAIN = "From the next deployment on, what is deployed is published when it is there."


def in_words(diff: Diff) -> str:
    """“12 changed, 3 deleted”, from what visitors get now."""
    counts = ((diff.added, "added"), (diff.changed, "changed"), (diff.deleted, "deleted"))
    return ", ".join(f"{len(paths):,} {what}" for paths, what in counts if paths)


def _number_of(form: SiteForm) -> int | None:
    """Of a link or of what was posted; None when that is no number."""
    text = str(form["to"].value() or "")
    is_number = text.isascii() and text.isdigit() and len(text) < 10
    return int(text) if is_number else None


def _target(site: Site, number: int | None) -> Deployment | None:
    """What the same call would choose, to show it beforehand; whether it may is decided then."""
    if number is not None:
        return kept(site).filter(number=number).first()
    served = publish.served(site)
    before = kept(site).filter(published_at__isnull=False, is_published=False)
    return (before.filter(number__lt=served.number) if served else before).first()


def _why_none(site: Site, number: int | None) -> str:
    if number is None:
        return f"{site.name} has no earlier deployment to go back to."
    return (
        f"Deployment #{number} cannot be published: it is not kept, failed, or is under way still."
    )


def _what_is_ready(site: Site) -> list[str]:
    row = lane.ready(site)
    if row is None:
        return []
    return [f"Deployment #{row.number} is ready since; it is published when you say so."]
