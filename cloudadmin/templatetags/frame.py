"""The way to a page, for its header."""

from __future__ import annotations

from typing import Any

from django.db.models import Model
from django.template import Context, Library
from django.urls import NoReverseMatch, reverse
from django.utils.text import capfirst

register = Library()


@register.simple_tag(takes_context=True)
def crumbs(context: Context) -> list[dict[str, Any]]:
    """``title`` and ``link`` of what is above the page, outermost first; the last is the page."""
    row = next((each for each in map(context.get, ("original", "object")) if _is_row(each)), None)
    opts = row._meta if row is not None else context.get("opts")
    title = context.get("title") or ""
    if opts is None:
        return [{"title": title, "link": ""}]
    found = [_crumb(capfirst(opts.verbose_name_plural), opts, "changelist")]
    if row is not None:
        found.append(_crumb(str(row), opts, "change", row.pk))
    path = context["request"].path
    if found[-1]["link"] != path and title:
        found.append({"title": title, "link": ""})
    return found


def _is_row(value: object) -> bool:
    return isinstance(value, Model) and value.pk is not None


def _crumb(title: str, opts: Any, page: str, *args: object) -> dict[str, Any]:
    try:
        link = reverse(f"admin:{opts.app_label}_{opts.model_name}_{page}", args=args)
    except NoReverseMatch:
        link = ""
    return {"title": title, "link": link}
