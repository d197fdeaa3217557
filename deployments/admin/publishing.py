"""Which deployment is served, and whether new ones are by themselves."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django import forms
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from deployments import lane, operations, previews, publish, retry, tasks
from deployments.admin.actions import DEPLOY, ServingAction
from deployments.admin.changes import compared
from deployments.models import Deployment
from deployments.rollback import kept, rollback
from sites.admin.actions import SiteAction, SiteForm
from sites.models import Site
from sites.waking import wake

if TYPE_CHECKING:
    from django.contrib.auth.models import User


PASSED_SHOWN = 10
LARGEST = 2**31 - 1


class NumberForm(SiteForm):
    to = forms.IntegerField(widget=forms.HiddenInput, required=False, max_value=LARGEST)


class PublishForm(NumberForm):
    """``instead_of`` is what was served when the page was shown; 0 when nothing was."""

    instead_of = forms.IntegerField(
        widget=forms.HiddenInput, required=False, min_value=0, max_value=LARGEST
    )

    def show(self, to: int, instead_of: int) -> None:
        """What the page that is shown next is about, whatever was posted."""
        shown = {"to": to, "instead_of": instead_of}
        self.initial = {**self.initial, **shown}
        if self.is_bound:
            self.data = {**self.data, **shown}


class Rollback(ServingAction):
    """Back, or forward: ``to`` says which; without it, the one before."""

    slug, title, icon = "rollback", "Roll back", "history"
    permission = DEPLOY
    form_class = PublishForm
    template = "deployments/publish.html"

    def explain(self, site: Site, form: Any) -> dict[str, Any]:
        number = _number_of(form)
        served, target = publish.served(site), _target(site, number)
        if target is None:
            return {"problem": _why_none(site, number)}
        form.show(target.number, served.number if served else 0)
        passed = _passed_over(site, target, served)
        return {
            "target": target,
            "served": served,
            "is_forward": served is None or target.number > served.number,
            "differences": in_words(compared(served, target).counts),
            "passed": list(passed[:PASSED_SHOWN]),
            "passed_count": passed.count(),
        }

    def act(self, site: Site, form: SiteForm, user: User) -> str:
        data = form.cleaned_data
        deployment = rollback(site, data["to"], user, instead_of=data["instead_of"])
        if deployment.state in Deployment.ACTIVE:
            wake(tasks.resume_deployment.delay, deployment.pk)
            return f"Deployment #{deployment.number} brings those files back; see below."
        return f"Deployment #{deployment.number} of {site.name} is served now."


class Publish(Rollback):
    """The same by the word for what is newer, or was a preview alone."""

    slug, title, icon = "publish", "Publish", "publish"
    permission = DEPLOY


class Retry(ServingAction):
    """``to`` is the number of one that failed, or was cancelled."""

    slug, title, icon = "retry", "Try again", "replay"
    permission = DEPLOY
    form_class = NumberForm
    template = "deployments/retry.html"

    def explain(self, site: Site, form: SiteForm) -> dict[str, Any]:
        row = site.deployments.defer("manifest").filter(number=_number_of(form) or 0).first()
        if row is None:
            return {"problem": f"{site.name} has no such deployment."}
        has_files = retry.has_files(row)
        if not (has_files or retry.is_fetched(row)):
            return {"problem": retry.why_not(row)}
        served = publish.served(site)
        said: dict[str, Any] = {"target": row, "served": served, "has_files": has_files}
        if has_files:
            said["differences"] = in_words(compared(served, row).counts)
        return said

    def act(self, site: Site, form: SiteForm, user: User) -> str:
        number = form.cleaned_data["to"] or 0
        row = get_object_or_404(site.deployments.defer("manifest"), number=number)
        new = retry.retry(row, user)
        if new.phase == Deployment.Phase.QUEUE:
            wake(tasks.resume_deployment.delay, new.pk)
        return f"#{row.number} is tried again as deployment #{new.number}."


class Cancel(SiteAction):
    slug, title, icon = "cancel", "Cancel the deployment", "cancel"
    permission = DEPLOY
    form_class = NumberForm
    danger = True
    leave = "Let it go on"

    def explain(self, site: Site, form: SiteForm) -> dict[str, Any]:
        number = _number_of(form)
        if not site.deployments.filter(number=number or 0, state__in=Deployment.ACTIVE).exists():
            return {"problem": "This deployment has ended already, or there never was one."}
        return {
            "says": [
                f"Deployment #{number} ends here, and nothing of it is published. What "
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
    permission = DEPLOY
    form_class = LabelForm
    danger = True

    def explain(self, site: Site, form: SiteForm) -> dict[str, Any]:
        label = form["label"].value() or ""
        if not previews.listed(site).filter(label=label).exists():
            return {"problem": "This preview is closed, or there never was one."}
        return {
            "says": [
                f"Nobody can open the preview “{label}” any more; if it is of a "
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
    permission = DEPLOY
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
    permission = DEPLOY

    def explain(self, site: Site, form: SiteForm) -> dict[str, Any]:
        return {"says": [AGAIN, *_what_is_ready(site)]}

    def act(self, site: Site, form: SiteForm, user: User) -> str:
        lane.unlock(site)
        return f"{site.name} is unlocked."


class Resume(SiteAction):
    slug, title, icon = "resume", "Publish by itself again", "play_arrow"
    permission = DEPLOY

    def explain(self, site: Site, form: SiteForm) -> dict[str, Any]:
        return {"says": [AGAIN, *_what_is_ready(site)]}

    def act(self, site: Site, form: SiteForm, user: User) -> str:
        lane.release_hold(site)
        return f"The next deployments of {site.name} are published by themselves."


AGAIN = "From the next deployment on, what is deployed is published when it is there."


def in_words(counts: Mapping[str, int]) -> str:
    """“12 changed, 3 deleted”, from what visitors get now."""
    return ", ".join(f"{count:,} {what}" for what, count in counts.items())


def _passed_over(site: Site, target: Deployment, served: Deployment | None) -> QuerySet[Deployment]:
    """What visitors had since, the newest first, and lose by going back."""
    rows = site.deployments.defer("manifest").select_related("creator")
    if served is None:
        return rows.none()
    rows = rows.filter(published_at__isnull=False, number__gt=target.number)
    return rows.filter(number__lte=served.number)


def _number_of(form: SiteForm) -> int | None:
    """Of a link or of what was posted; None when that is no number."""
    text = str(form["to"].value() or "")
    is_number = text.isascii() and text.isdigit() and len(text) < 10
    return int(text) if is_number else None


def _target(site: Site, number: int | None) -> Deployment | None:
    """What the same call would choose, to show it beforehand; whether it may is decided then."""
    if number is not None:
        return kept(site).defer("manifest").filter(number=number).first()
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
