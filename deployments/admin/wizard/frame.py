"""What the three screens share."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse

SCREENS = ("Your site", "Plan and cost", "Live")


def screen(request: HttpRequest, number: int, template: str, **context: Any) -> HttpResponse:
    frame = admin.site.each_context(request)
    sites = reverse("admin:sites_site_changelist")
    for group in frame["sidebar"]:
        for line in group:
            line["active"] = line["link"] == sites
    return TemplateResponse(
        request,
        template,
        {
            **frame,
            "title": "New site",
            "screens": list(enumerate(SCREENS, 1)),
            "screen": number,
            **context,
        },
    )
