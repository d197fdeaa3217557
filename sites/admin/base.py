"""What our admin pages share: unfold's classes with Django's types, and read-only history."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from django.db.models import Model
from django.http import HttpRequest
from django.template.defaultfilters import date as format_date
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.timesince import timesince, timeuntil

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin, TabularInline
else:
    # unfold has no types of its own, and neither its classes nor Django's take parameters.
    from unfold.admin import ModelAdmin as UnfoldModelAdmin
    from unfold.admin import TabularInline as UnfoldTabularInline

    class ModelAdmin(UnfoldModelAdmin):
        def __class_getitem__(cls, _: object) -> type:
            return cls

    class TabularInline(UnfoldTabularInline):
        def __class_getitem__(cls, _: object) -> type:
            return cls


__all__ = ["HistoryAdmin", "ModelAdmin", "TabularInline", "ago", "badge", "shortened", "until"]

Row = TypeVar("Row", bound=Model)


class HistoryAdmin(ModelAdmin[Row]):
    """Rows that the product wrote about itself: to be read, never to be edited."""

    actions = None
    list_per_page = 50
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def badge(state: str, label: str) -> SafeString:
    """A state as a coloured word; the word alone says it too."""
    return format_html('<span class="badge badge-{}">{}</span>', state, label)


def ago(moment: datetime | None) -> SafeString | str:
    """When, as people say it, with the exact time for those who point at it."""
    if moment is None:
        return "–"
    is_new = timezone.now() - moment < timedelta(minutes=1)
    return _time(moment, "just now" if is_new else f"{timesince(moment, depth=1)} ago")


def until(moment: datetime | None) -> SafeString | str:
    """The same for what is to come."""
    if moment is None:
        return "–"
    seconds = (moment - timezone.now()).total_seconds()
    if seconds < 1:
        return _time(moment, "now")
    words = f"{seconds:.0f} s" if seconds < 60 else timeuntil(moment, depth=1)
    return _time(moment, f"in {words}")


def _time(moment: datetime, words: str) -> SafeString:
    return format_html(
        '<time class="muted" datetime="{}" title="{} UTC">{}</time>',
        moment.isoformat(),
        format_date(moment, "j F Y, H:i:s"),
        words,
    )


def shortened(message: str) -> SafeString | str:
    """An error in a list; the whole of it is on the page of its row."""
    return format_html('<span class="error-text">{}</span>', Truncator(message).chars(140))
