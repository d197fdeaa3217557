"""The page of one deployment: live while it is under way."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, path
from django.utils import timezone

from deployments import log, publish, retry, target
from deployments.admin import changes
from deployments.admin.commits import commit_url
from deployments.admin.listeners import theirs
from deployments.admin.shown import shown, spans, under_way, word_for
from deployments.models import Deployment, Message, Repository
from deployments.source.opening import PASSWORD
from sites.admin.base import HistoryAdmin
from sites.people import Act, get_for, may

MESSAGES_SHOWN = 20
# After its end: who is told is written down at once, and has mostly answered within a minute.
TELLING_BEGINS, TELLING_ENDS = timedelta(seconds=5), timedelta(minutes=1)


class DeploymentPages(HistoryAdmin[Deployment]):
    site_path = "site"
    fields = readonly_fields = ("site",)
    change_form_template = "deployments/deployment.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Deployment]:
        rows = super().get_queryset(request).select_related("site__account", "creator")
        return rows.defer("manifest")

    def get_urls(self) -> list[URLPattern]:
        wrap, name = self.admin_site.admin_view, "deployments_deployment"
        return [
            path("<int:pk>/panel/", self._panel, name=f"{name}_panel"),
            path("<int:pk>/log/", wrap(self._log), name=f"{name}_log"),
            path("<int:pk>/log.txt", wrap(self._text), name=f"{name}_text"),
            path("<int:pk>/changes/", wrap(self._changes), name=f"{name}_changes"),
            *super().get_urls(),
        ]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        row: Deployment = kwargs["obj"]
        context |= panel_context(request, row) | log_context(row)
        return super().render_change_form(request, context, *args, **kwargs)

    def _panel(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The refreshed parts alone; htmx is told to leave when there is nothing to refresh."""
        row = self.get_queryset(request).filter(pk=pk).first()
        if row is None:
            return HttpResponse(headers={"HX-Refresh": "true"})
        context = panel_context(request, row)
        # Told in words when it changed, and not every second.
        context["is_news"] = request.GET.get("seen") != context["word"]
        answer = render(request, "deployments/deployment_refreshed.html", context)
        if request.GET.get("files") == "0" and row.files:
            answer["HX-Trigger"] = "deployment-files"
        return answer

    def _log(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The lines after one, and the next question unless it has ended."""
        row = self._seen(request, pk)
        after = request.GET.get("after", "")
        context = log_context(row, int(after) if after.isdecimal() and len(after) < 19 else 0)
        if not context["events"] and context["is_active"]:
            return HttpResponse(status=204)
        return render(request, "deployments/log_lines.html", context)

    def _text(self, request: HttpRequest, pk: int) -> HttpResponse:
        row = self._seen(request, pk)
        name = f"{row.site.name}-{row.number}-log.txt"
        return HttpResponse(
            "".join(log.as_text(row.events.all())),
            content_type="text/plain; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )

    def _changes(self, request: HttpRequest, pk: int) -> HttpResponse:
        return changes.of_deployment(request, self._seen(request, pk))

    def _seen(self, request: HttpRequest, pk: int) -> Deployment:
        return get_for(request.user, Act.VIEW, self.get_queryset(request), path="site", pk=pk)


def panel_context(request: HttpRequest, row: Deployment) -> dict[str, Any]:
    """What a deployment's page shows, and refreshes while it is under way."""
    published = publish.published(row.site)
    (each,) = shown(row.site, [row], published)
    is_active = row.state in Deployment.ACTIVE
    active = row.site.deployments.filter(state__in=Deployment.ACTIVE).defer("manifest")
    line = under_way(active) if is_active else []
    repository = Repository.objects.filter(site=row.site_id).only("url").first()
    phases = spans(row)
    # An address may be a secret of those who set it up.
    sees_messages = may(request.user, Act.OPERATE, row.site)
    messages = row.messages.select_related("listener") if sees_messages else Message.objects.none()
    sent = list(theirs(request.user, messages)[:MESSAGES_SHOWN])
    return {
        "deployment": row,
        "shown": each,
        "word": word_for(row)[1],
        # Of the row that is shown: it may have ended since.
        "is_active": is_active,
        # Said of the same moment as the rest of the page.
        "under_way": next((replace(item, row=row) for item in line if item.row == row), None),
        "spans": phases,
        "seconds": sum(span.seconds for span in phases),
        "address": each.address or (target.address(row.site) if row.is_published else ""),
        "commit_url": commit_url(row, repository.url if repository else ""),
        "source": PASSWORD.sub("//", row.source),
        "sent": sent,
        "is_telling": sees_messages and _is_telling(row, sent),
        "may_act": may(request.user, Act.DEPLOY, row.site),
        "can_retry": retry.has_files(row) or (repository is not None and retry.is_of_branch(row)),
        "has_files": bool(row.files),
        "published": published,
    }


def _is_telling(row: Deployment, sent: list[Message]) -> bool:
    """Whether more of who was told of its end is to come soon."""
    if row.finished_at is None:
        return False
    is_queued = any(message.status in Message.ACTIVE for message in sent)
    return timezone.now() - row.finished_at < (TELLING_ENDS if is_queued else TELLING_BEGINS)


def log_context(row: Deployment, after: int = 0) -> dict[str, Any]:
    """The lines after one of them; the log is bounded, so that all of it is shown."""
    events = list(row.events.filter(pk__gt=after))
    return {
        "deployment": row,
        "events": events,
        "last": events[-1].pk if events else after,
        "is_active": row.state in Deployment.ACTIVE,
    }
