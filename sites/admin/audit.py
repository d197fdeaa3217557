"""The audit log: for administrators all of it, for owners what is about their sites and teams."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import Any, ClassVar
from urllib.parse import urlencode

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import URLPattern, path
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator

from sites.admin.audit_names import names_of
from sites.admin.audit_words import (
    CHANGES,
    COLUMNS_TOLD,
    compared,
    sentence,
    told_of,
    visible_text,
)
from sites.admin.base import HistoryAdmin, ago
from sites.admin.lists import Asked, AskedFilter, FieldFilter, Filter, ListAdmin
from sites.audit.tables import TABLES
from sites.models import AuditEntry, Site, Team
from sites.people import Act, may, visible
from sites.visits.exports import defused

Kind = AuditEntry.Act
# Of the others, the sentence says all.
DIFFER = (Kind.UPDATE, Kind.LOGIN_FAILED, Kind.CONFIRMED, Kind.LOGIN)
LONGEST_NAME, LONGEST_SENTENCE = 60, 100
COLUMNS = (
    *("number", "at", "actor", "via", "address", "request", "act", "table", "row_id", "label"),
    *("site_name", "before", "after", "digest"),
)


class SinceFilter(AskedFilter):
    HOURS: ClassVar = {**AskedFilter.HOURS, "month": ("Last 30 days", 720)}

    def apply(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        return rows.filter(at__gte=self.since(value))


class Named(Filter):
    """By a name that a link gives; there are too many to choose from."""

    def __init__(self, parameter: str, field: str, title: str) -> None:
        super().__init__(parameter, title)
        self.field = field

    def choices(self, request: HttpRequest) -> list[tuple[str, str]]:
        name = request.GET.get(self.parameter, "").replace("\0", "")[:300]
        return [(name, name)] if name else []

    def apply(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        return rows.filter(**{self.field: value})


@admin.register(AuditEntry)
class AuditAdmin(ListAdmin[AuditEntry], HistoryAdmin[AuditEntry]):
    list_display = ("what", "difference", "who", "site", "when")
    tabs = FieldFilter(
        "act",
        [],
        groups={
            "changes": ("Changes", CHANGES),
            "logins": ("Logins", [each for each in Kind if each not in CHANGES]),
        },
    )
    more_filters = (
        FieldFilter("table", [(name, said.capitalize()) for name, said in TABLES.items()], "What"),
        FieldFilter("via", AuditEntry.Via.choices, "From"),
        SinceFilter("when"),
        Named("who", "actor", "Who"),
        Named("site", "site_name", "Site"),
    )
    default_order = "-number"
    search_fields = ("actor", "label", "site_name", "address", "request")
    search_help_text = "A person, a site, a name or an address"
    empty = "Nothing was changed yet."
    empty_hint = "Who changes what is written here, and stays."
    list_template = "sites/audit.html"
    change_form_template = "sites/audit_entry.html"
    fields = readonly_fields = ("number",)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self._export)
        return [path("export/", view, name="sites_auditentry_export"), *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> QuerySet[AuditEntry]:
        rows = AuditEntry.objects.filter(number__gt=0)
        if may(request.user, Act.ADMINISTER):
            return rows
        sites = visible(request.user, Site.objects.all(), Act.OWN).order_by().values("pk")
        teams = visible(request.user, Team.objects.all(), Act.OWN).order_by().values("pk")
        return rows.filter(Q(site_id__in=sites) | Q(team_id__in=teams))

    def has_view_permission(self, request: HttpRequest, obj: AuditEntry | None = None) -> bool:
        return may(request.user, Act.OWN)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return may(request.user, Act.OWN)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        if self.has_view_permission(request) and self.get_object(request, object_id) is None:
            raise Http404("No such entry, or none of yours.")
        return super().change_view(request, object_id, form_url, extra_context)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        row: AuditEntry = kwargs["obj"]
        changes = compared(row, names_of(request.user, [row]))
        context |= {"entry": row, "what": sentence(row), "changes": changes}
        if row.request:
            others = self.get_queryset(request).filter(request=row.request).exclude(pk=row.pk)
            context["others"] = [(each, sentence(each)) for each in others[:20]]
        return super().render_change_form(request, context, *args, **kwargs)

    def prepared(self, request: HttpRequest, rows: list[Any]) -> None:
        names = names_of(request.user, [row for row in rows if row.act in DIFFER])
        for row in rows:
            row.names = names

    # --- The columns ------------------------------------------------------------------------------

    @admin.display(description="what")
    def what(self, row: AuditEntry) -> str:
        return Truncator(sentence(row)).chars(LONGEST_SENTENCE)

    @admin.display(description="difference")
    def difference(self, row: Any) -> SafeString:
        if row.act not in DIFFER:
            return SafeString("")
        changes = compared(row, row.names)
        if not changes:
            return SafeString("")
        told = format_html_join(
            "", '<span class="difference"><span class="muted">{}</span> {}</span>', told_of(changes)
        )
        more = len(changes) - COLUMNS_TOLD
        rest = format_html('<span class="muted">and {} more</span>', more) if more > 0 else ""
        return format_html("<div>{}{}</div>", told, rest)

    @admin.display(description="who")
    def who(self, row: AuditEntry) -> SafeString:
        return format_html(
            '<span class="audit-who"><a href="?{}">{}</a> <span class="muted">{}{}</span></span>',
            urlencode({"who": row.actor}),
            Truncator(visible_text(row.actor)).chars(LONGEST_NAME),
            row.get_via_display(),
            f", {row.address}" if row.address else "",
        )

    @admin.display(description="site")
    def site(self, row: AuditEntry) -> SafeString | str:
        if not row.site_name:
            return ""
        return format_html(
            '<a href="?{}">{}</a>', urlencode({"site": row.site_name}), row.site_name
        )

    @admin.display(description="when")
    def when(self, row: AuditEntry) -> SafeString | str:
        return ago(row.at)

    # --- To take along ----------------------------------------------------------------------------

    def _export(self, request: HttpRequest) -> StreamingHttpResponse:
        """What the list shows with these filters, all of it, as CSV."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        rows = Asked(request, self).narrowed(self, self.get_queryset(request)).order_by("-number")
        response = StreamingHttpResponse(lines(rows), content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = 'attachment; filename="audit-log.csv"'
        return response


class _Echo:
    def write(self, text: str) -> str:
        return text


def lines(rows: QuerySet[AuditEntry]) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield writer.writerow(COLUMNS)
    for row in rows.iterator(chunk_size=1_000):
        yield writer.writerow([defused(visible_text(getattr(row, name))) for name in COLUMNS])
