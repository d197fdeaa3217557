"""What happened to a site, the newest first: its operations, and what people changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.dateparse import parse_datetime
from django.utils.timezone import is_naive

from sites.admin.audit_words import differing, sentence, tells_all
from sites.admin.tabs import TabsMixin
from sites.models import AuditEntry, Operation, Site
from sites.people import Act, may

SHOWN = 30
# Operations are told of by their own rows; that the site was added tells of its launch.
TOLD_OTHERWISE = (Operation._meta.db_table, "deployments_launch")


@dataclass(frozen=True)
class Happening:
    """An operation, or a sentence about what a person did; ``url`` is where the whole of it is."""

    at: datetime
    who: str
    said: str = ""
    url: str = ""
    operation: Operation | None = None


class ActivityMixin(TabsMixin):
    """The page “Activity”. ``?before`` is a moment: what is older is shown."""

    def activity_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        site = self.site_to_see(request, pk)
        before = _moment(request.GET.get("before", ""))
        found = sorted(
            self._happenings(request, site, before), key=lambda each: each.at, reverse=True
        )
        context = {
            **self.page_context(request, site, "activity"),
            "happenings": found[:SHOWN],
            "older": found[SHOWN - 1].at.isoformat() if len(found) > SHOWN else "",
            "is_first": before is None,
            "may_audit": may(request.user, Act.OWN, site),
        }
        return TemplateResponse(request, "sites/activity_page.html", context)

    def _happenings(
        self, request: HttpRequest, site: Site, before: datetime | None
    ) -> Iterator[Happening]:
        """At most one more than is shown of each kind. Owners see the audit log's entries, others
        what was done in the dashboard."""
        yield from _operations(site, before)
        yield from (_audited if may(request.user, Act.OWN, site) else _logged)(site, before)


def _operations(site: Site, before: datetime | None) -> Iterator[Happening]:
    rows = site.operations.select_related("creator").prefetch_related("events")
    rows = rows.filter(created_at__lt=before) if before else rows
    for row in rows.defer("plan", "targets").order_by("-created_at")[: SHOWN + 1]:
        yield Happening(row.created_at, str(row.creator or ""), operation=row)


def _logged(site: Site, before: datetime | None) -> Iterator[Happening]:
    kind = ContentType.objects.get_for_model(Site)
    rows = LogEntry.objects.filter(content_type=kind, object_id=str(site.pk))
    rows = rows.filter(action_time__lt=before) if before else rows
    for row in rows.select_related("user").order_by("-action_time")[: SHOWN + 1]:
        yield Happening(row.action_time, str(row.user), row.get_change_message())


def _audited(site: Site, before: datetime | None) -> Iterator[Happening]:
    rows = AuditEntry.objects.filter(site_id=site.pk).exclude(table__in=TOLD_OTHERWISE)
    rows = rows.filter(at__lt=before) if before else rows
    for row in rows.order_by("-number")[: SHOWN + 1]:
        url = reverse("admin:sites_auditentry_change", args=[row.pk])
        yield Happening(row.at, row.actor, f"{sentence(row)}{_what(row)}", url)


def _what(row: AuditEntry) -> str:
    """As in “: price class, is spa”, where the sentence does not tell it."""
    if row.act != AuditEntry.Act.UPDATE or tells_all(row):
        return ""
    columns = ", ".join(differing(row).values())
    return f": {columns}" if columns else ""


def _moment(text: str) -> datetime | None:
    try:
        found = parse_datetime(text.replace(" ", "+"))
    except ValueError:
        return None
    return None if found is None or is_naive(found) else found
