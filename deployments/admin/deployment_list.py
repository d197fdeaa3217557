"""The list of deployments, of which there may be a million."""

from __future__ import annotations

import re
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator

from deployments.admin.shown import word_for
from deployments.models import Deployment
from deployments.models.words import has_word
from sites.admin.base import ago, badge, shortened
from sites.admin.lists import AskedFilter, FieldFilter, Filter, ListAdmin
from sites.models import Site

# Sites whose name has the word; a word that more have is looked for in the messages alone.
SITES_NAMED = 100
NUMBER = re.compile(r"#?([0-9]{1,9})")
SITE_AND_NUMBER = re.compile(r"([a-z0-9][a-z0-9-]*)#([0-9]{1,9})")
COMMIT = re.compile(r"(?=.*[0-9])[0-9a-f]{7,64}")


class SiteNamed(Filter):
    """By the name of a site, which a link gives; there are too many to choose from."""

    def choices(self, request: HttpRequest) -> list[tuple[str, str]]:
        name = request.GET.get(self.parameter, "")[:40]
        return [(name, name)] if name else []

    def apply(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        return rows.filter(site=Site.objects.filter(name=value).values("pk")[:1])


class DeploymentList(ListAdmin[Deployment]):
    site_path = "site"
    list_display = ("deployment", "state_badge", "message", "size", "started", "creator", "error")
    tabs = FieldFilter(
        "state",
        Deployment.State.choices,
        groups={
            "active": ("Under way", Deployment.ACTIVE),
            "failed": ("Failed", Deployment.FAILED),
        },
    )
    more_filters = (
        FieldFilter("environment", Deployment.Environment.choices),
        FieldFilter("trigger", Deployment.Trigger.choices),
        FieldFilter("is_published", [(True, "Yes"), (False, "No")], "Published"),
        AskedFilter("when"),
        SiteNamed("site"),
    )
    default_order = "-pk"
    search_fields = ("description",)
    search_help_text = "Site, number, message, commit or author"
    search_hint = (
        "Words are found by their beginning, commits by seven letters or more, and one deployment "
        "by its site and number, as in shop#12."
    )
    empty = "Nothing was deployed yet."
    empty_hint = "Open a site and deploy a zip, or run manage.py deploy_site."

    def get_queryset(self, request: HttpRequest) -> QuerySet[Deployment]:
        return super().get_queryset(request).select_related("site", "creator").defer("manifest")

    def matching(self, word: str) -> Q:
        word = word.lower()
        if number := NUMBER.fullmatch(word):
            return Q(number=int(number[1])) if int(number[1]) < 2**31 else Q(pk__in=[])
        if found := SITE_AND_NUMBER.fullmatch(word):
            return Q(site__name=found[1], number=int(found[2]))
        if COMMIT.fullmatch(word):
            return Q(sha__startswith=word)
        named = Site.objects.filter(name__icontains=word).order_by().values_list("pk", flat=True)
        sites = list(named[: SITES_NAMED + 1])
        return has_word(word) | Q(site__in=sites) if len(sites) <= SITES_NAMED else has_word(word)

    # --- Columns ----------------------------------------------------------------------------------

    @admin.display(description="deployment")
    def deployment(self, row: Deployment) -> str:
        return str(row)

    @admin.display(description="state")
    def state_badge(self, row: Deployment) -> SafeString:
        return badge(*word_for(row))

    @admin.display(description="message")
    def message(self, row: Deployment) -> SafeString | str:
        return format_html('<span class="message">{}</span>', row.description or row.source)

    @admin.display(description="uploaded")
    def size(self, row: Deployment) -> SafeString:
        return format_html('<span class="nowrap">{}</span>', filesizeformat(row.bytes))

    @admin.display(description="started", ordering="pk")
    def started(self, row: Deployment) -> SafeString | str:
        return ago(row.created_at)

    @admin.display(description="by")
    def creator(self, row: Deployment) -> SafeString | str:
        return row.author or str(row.creator or "")

    @admin.display(description="said")
    def error(self, row: Deployment) -> SafeString | str:
        if row.state in Deployment.FAILED:
            return shortened(row.error_message)
        return Truncator(row.error_message).chars(140)
