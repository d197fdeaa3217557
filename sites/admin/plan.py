"""What a plan would do, before it is done: the pages of “Provision” and “Restore”.

What is posted carries the checksum of the plan that was shown. When the world moved meanwhile, the
same page comes back with the plan as it is now.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from django import forms
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminTextInputWidget

from sites import drift, operations
from sites.admin.actions import SiteAction, SiteForm, enqueue
from sites.admin.drift import found_by
from sites.drift import Found
from sites.errors import Refused, for_people
from sites.models import Operation, Site
from sites.provisioning import Plan, ProvisioningError, UnsafePlan
from sites.provisioning.plan import WHOLE_STACK, Change, Create, Delete, Replace, Update, in_words
from sites.provisioning.preflight import Finding

if TYPE_CHECKING:
    from django.contrib.auth.models import User

CHANGED = "Something changed since this plan was shown, so nothing was done. This is the new plan."
SHARED = (
    "This plan also puts right what all sites of the account share, which is for a superuser to "
    "decide. Restore what is the site's own, one by one."
)


@dataclass(frozen=True)
class ShownPlan:
    """A plan as its page shows it."""

    plan: Plan

    @property
    def groups(self) -> Iterator[tuple[str, list[Change]]]:
        for title, changes in (
            ("For the site", self.plan.changes),
            ("For the account, shared by its sites", self.plan.shared),
        ):
            effective = [change for change in changes if change in self.plan.effective]
            if effective:
                yield title, effective

    @property
    def drifted(self) -> int:
        return sum(bool(change.drifted) for change in self.plan.effective)

    @property
    def creates(self) -> list[Change]:
        return [change for change in self.plan.effective if isinstance(change, Create)]

    @property
    def uses(self) -> dict[str, str]:
        """What comes on top by use: type -> in words."""
        return {c.type: c.cost.by_use for c in self.creates if c.cost.by_use}

    @property
    def priced(self) -> list[Change]:
        return [change for change in self.creates if change.cost.monthly]

    @property
    def waits(self) -> dict[str, str]:
        """How long AWS usually takes: type -> in words, the longest first."""
        slow = {c.type: c.usual_wait for c in self.plan.effective if c.usual_wait}
        return {name: in_words(slow[name]) for name in sorted(slow, key=lambda name: -slow[name])}

    @property
    def usual_wait(self) -> str:
        return in_words(self.plan.usual_wait)

    @cached_property
    def losses(self) -> list[Change]:
        """What keeps data and would go."""
        return [
            change
            for change in self.plan.effective
            if isinstance(change, Delete | Replace) and change.keeps_data
        ]

    @cached_property
    def brakes(self) -> list[str]:
        """What has to be forced, and so is done only after the name was typed."""
        force = [change.logical_id for change in self.losses]
        try:
            self.plan.raise_if_unsafe(force)
        except UnsafePlan:
            return [*force, WHOLE_STACK]
        return force


KINDS = {kind.action: kind for kind in (Create, Update, Replace, Delete)}


def applied(operation: Operation) -> list[Change]:
    """The changes that an operation set out to make, as it wrote them down."""
    return [
        KINDS[each["action"]](
            each["logical_id"],
            each["type"],
            each["label"],
            differences={path: (old, new) for path, (old, new) in each["differences"].items()},
            drifted=tuple(each["drifted"]),
        )
        for each in operation.plan.get("changes", ())
    ]


class PlanForm(SiteForm):
    """``force`` are codes of findings; ``name`` is asked for when a brake holds the plan."""

    checksum = forms.CharField(widget=forms.HiddenInput, required=False)
    only = forms.CharField(widget=forms.HiddenInput, required=False)
    force = forms.CharField(widget=forms.MultipleHiddenInput, required=False)
    name = forms.CharField(
        label="Type the site's name to confirm",
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    plan: ShownPlan | None = None

    def clean_force(self) -> list[str]:
        return self.data.getlist("force") if hasattr(self.data, "getlist") else []


class Provision(SiteAction):
    slug, title, icon = "provision", "Provision", "rocket_launch"
    form_class = PlanForm
    template = "sites/provision.html"
    part = "sites/plan.html"
    may_be_forced = True

    def is_offered(self, site: Site, ready: frozenset[str]) -> bool:
        return site.state != Site.State.DESTROYING

    def is_put_off(self, request: HttpRequest) -> bool:
        """What refuses a plan is told with the plan as it is now."""
        return request.method == "GET"

    def explain(self, site: Site, form: SiteForm) -> dict[str, Any]:
        try:
            shown = self._planned(site, form)
            findings = self._findings(site, shown)
        except Refused as refused:
            return {"problem": f"The plan cannot be shown. {refused}"}
        blocking = [finding for finding in findings if finding.blocks]
        is_held = not self.may_be_forced and bool(blocking or shown.brakes)
        return {
            "shown": shown,
            "blocking": blocking,
            "codes": sorted({finding.code for finding in blocking}),
            "notes": [finding for finding in findings if not finding.blocks],
            "is_held": is_held,
            "is_needed": bool(shown.plan.effective) or _is_unfinished(site),
        }

    def act(self, site: Site, form: SiteForm, user: User) -> str:
        shown = self._planned(site, form)
        if shown.plan.checksum != form.cleaned_data["checksum"]:
            raise Refused(CHANGED)
        if shown.brakes and form.cleaned_data["name"] != site.name:
            raise Refused(f"This takes away what cannot be brought back: type “{site.name}” first.")
        enqueue(self.request(site, form, user))
        return f"{self.title} of {site.name} has started; this page shows how far it is."

    def plan(self, site: Site, form: SiteForm) -> Plan:
        return operations.plan(site)

    def request(self, site: Site, form: Any, user: User) -> Operation:
        force = [*form.plan.brakes, *form.cleaned_data["force"]]
        return operations.request(
            site, Operation.Kind.PROVISION, user, force, form.plan.plan.checksum
        )

    def _planned(self, site: Site, form: Any) -> ShownPlan:
        """Once a request: it takes a second or more. Raises Refused."""
        if form.plan is None:
            with _for_people():
                form.plan = ShownPlan(self.plan(site, form))
        shown: ShownPlan = form.plan
        return shown

    def _findings(self, site: Site, shown: ShownPlan) -> tuple[Finding, ...]:
        if not shown.plan.effective:
            return ()
        with _for_people():
            return operations.preflight(site, shown.plan)


class Restore(Provision):
    """Puts right what was changed on AWS: one field of it (``only``), or all."""

    slug, title, icon = "restore", "Restore", "settings_backup_restore"
    tab, lands = "resources", "change"
    may_be_forced = False

    def is_offered(self, site: Site, ready: frozenset[str]) -> bool:
        return False  # the panel of drift has its buttons

    def plan(self, site: Site, form: SiteForm) -> Plan:
        return drift.restore_plan(site, self._chosen(site, form))

    def request(self, site: Site, form: Any, user: User) -> Operation:
        if not user.is_superuser and any(change.drifted for change in form.plan.plan.shared):
            raise Refused(SHARED)
        checksum = form.plan.plan.checksum
        return drift.restore(site, checksum, user, only=self._chosen(site, form))

    def _chosen(self, site: Site, form: SiteForm) -> list[Found] | None:
        key = form["only"].value()
        return [found_by(site, key)] if key else None


def _is_unfinished(site: Site) -> bool:
    return site.state != Site.State.LIVE or site.resources.filter(is_ready=False).exists()


@contextmanager
def _for_people() -> Iterator[None]:
    try:
        with for_people():
            yield
    except ProvisioningError as error:
        raise Refused(str(error)) from error
