"""Drift in the dashboard: what was changed on AWS, and the pages of what to do about it.

Restoring is a plan like any other (``sites.admin.plan``).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.db.models import BooleanField, Exists, ExpressionWrapper, OuterRef, Q, QuerySet

from sites import drift, drift_checks
from sites.admin.actions import SiteAction, SiteForm
from sites.drift import Found
from sites.errors import Refused
from sites.models import Resource, Site

if TYPE_CHECKING:
    from django.contrib.auth.models import User


DRIFT_SHOWN = 30


def has_drift() -> Q:
    """Of sites: whether something of their own drifted, or of what their account shares."""
    drifted = Resource.objects.exclude(drift=[])
    own = Exists(drifted.filter(site=OuterRef("pk")))
    return Q(own) | Q(Exists(drifted.filter(site=None, account=OuterRef("account"))))


def with_drift(sites: QuerySet[Site]) -> QuerySet[Site]:
    """With ``has_drift``."""
    return sites.annotate(has_drift=ExpressionWrapper(has_drift(), output_field=BooleanField()))


def drift_context(site: Site, user: Any) -> dict[str, Any]:
    """For the site's page, in two queries: ``drifts``, what was accepted, when it was looked at."""
    rows = list(drift.rows_of(site))
    found = drift.of_site(site) if any(row.drift for row in rows) else []
    return {
        "drifts": [(each, key_of(each), may_decide(each, user)) for each in found[:DRIFT_SHOWN]],
        "drift_count": len(found),
        "accepted": [(row, path, value) for row in rows for path, value in row.accepted.items()],
        "drift_checked_at": _oldest(rows),
    }


def _oldest(rows: Sequence[Resource]) -> datetime | None:
    """None as long as one of them was not looked at."""
    times = [row.drift_checked_at for row in rows]
    return min((time for time in times if time), default=None) if all(times) else None


def key_of(found: Found) -> str:
    return f"{found.resource.pk}:{found.drift.path}"


def found_by(site: Site, key: str) -> Found:
    """Raises Refused when it is not there any more."""
    for found in drift.of_site(site):
        if key_of(found) == key:
            return found
    raise Refused("This is not drift any more: it was restored, accepted, or changed back on AWS.")


def may_decide(found: Found, user: Any) -> bool:
    """What is shared concerns sites that this user may not even see."""
    return not found.is_shared or user.is_superuser


class FieldForm(SiteForm):
    """``only`` is the key of a drift, or ``<pk of the resource>:<path>`` of what was accepted."""

    only = forms.CharField(widget=forms.HiddenInput)


class DriftAction(SiteAction):
    form_class = FieldForm
    template = "sites/drift_action.html"
    tab = "resources"

    def is_offered(self, site: Site, ready: frozenset[str]) -> bool:
        return False  # the panels of drift and of resources have its buttons


class Accept(DriftAction):
    slug, title, icon = "accept", "Accept", "check"

    def explain(self, site: Site, form: SiteForm) -> dict[str, Any]:
        try:
            found = found_by(site, form["only"].value() or "")
        except Refused as refused:
            return {"problem": str(refused)}
        problem = {"problem": found.fixed} if found.fixed else {}
        return {"found": found, "sites": found.resource.account.sites.count(), **problem}

    def act(self, site: Site, form: SiteForm, user: User) -> str:
        found = found_by(site, form.cleaned_data["only"])
        if not may_decide(found, user):
            raise PermissionDenied
        found.accept(user)
        return f"Accepted: {found.drift.type} keeps {found.drift.path} as it is on AWS."


class Unaccept(DriftAction):
    slug, title, icon = "unaccept", "Accept no longer", "undo"

    def explain(self, site: Site, form: SiteForm) -> dict[str, Any]:
        try:
            row, path = self._accepted(site, form["only"].value() or "")
        except Refused as refused:
            return {"problem": str(refused)}
        return {
            "says": [
                f"{row.type}: {path} stays on AWS as it is for now, and is shown as drift again. "
                "Then restore it: the plan is shown first."
            ]
        }

    def act(self, site: Site, form: SiteForm, user: User) -> str:
        row, path = self._accepted(site, form.cleaned_data["only"])
        if row.site_id is None and not user.is_superuser:
            raise PermissionDenied
        drift.unaccept(row, [path], user)
        return f"{row.type}: {path} is drift again, until it is restored."

    def _accepted(self, site: Site, key: str) -> tuple[Resource, str]:
        pk, _, path = key.partition(":")
        for row in drift.rows_of(site):
            if str(row.pk) == pk and path in row.accepted:
                return row, path
        raise Refused("This is not accepted, or not any more.")


class CheckDrift(SiteAction):
    slug, title, icon = "check-drift", "Compare with AWS", "difference"
    tab = "resources"

    def is_offered(self, site: Site, ready: frozenset[str]) -> bool:
        return False  # the panels of drift and of resources have its button

    def explain(self, site: Site, form: SiteForm) -> dict[str, Any]:
        return {
            "says": [
                "Every resource of the site is read on AWS and compared with what was recorded. "
                "Nothing is changed. It takes a few seconds."
            ]
        }

    def act(self, site: Site, form: SiteForm, user: User) -> str:
        failures = drift_checks.check(site)
        if failures:
            raise Refused("Not everything could be looked at. " + " ".join(map(str, failures)))
        count = len(drift.of_site(site))
        if not count:
            return "Everything on AWS is as it was asked for."
        return f"{count} field{'s' if count > 1 else ''} changed on AWS; see below."
