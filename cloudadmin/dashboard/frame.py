"""What is around every page: the lines of the sidebar, and nothing that no page of ours shows.

unfold's own admin site asks for every model's permissions and renders some forty templates for its
sidebar on each request; this one makes a list of lines.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver
from django.utils.module_loading import import_string
from unfold.sites import UnfoldAdminSite

from cloudadmin.dashboard import sidebar

# Nothing of ours leads to the list of an app's models, nor to unfold's search of their names.
LEFT_OUT = ("app_list", "search")
HOME = "cloudadmin.dashboard.home.home"


class Dashboard(UnfoldAdminSite):  # type: ignore[misc]
    site_title = site_header = "cloudadmin"
    site_url = None

    def get_urls(self) -> list[URLPattern | URLResolver]:
        return [each for each in super().get_urls() if getattr(each, "name", "") not in LEFT_OUT]

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        is_in = self.has_permission(request)
        return {
            "site_title": self.site_title,
            "site_header": self.site_header,
            "has_permission": is_in,
            "is_popup": False,
            "show_history": False,
            "environment": environment(),
            "sidebar": sidebar.lines(request) if is_in else [],
        }

    def index(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        request.current_app = self.name
        # By its name: the first page knows the pages of both apps, and those register here.
        home = import_string(HOME)
        context = home(request, {**self.each_context(request), **(extra_context or {})})
        is_part = request.GET.get("part") == "live" and context.get("site_count")
        template = "cloudadmin/home_live.html" if is_part else "admin/index.html"
        return TemplateResponse(request, template, context)


def environment() -> list[str] | None:
    """The word beside the page's title: that this is not AWS."""
    return ["Local cloud", "warning"] if settings.AWS_ENDPOINT_URL else None
