"""What the three screens share."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

SCREENS = ("Your site", "Plan and cost", "Live")


def screen(request: HttpRequest, number: int, template: str, **context: Any) -> HttpResponse:
    return TemplateResponse(
        request,
        template,
        {
            **admin.site.each_context(request),
            "title": "New site",
            "screens": list(enumerate(SCREENS, 1)),
            "screen": number,
            **context,
        },
    )
