"""What our admin pages share: unfold's classes with Django's types, and read-only history."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, TypeVar

from django.contrib.admin import RelatedFieldListFilter
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.timesince import timesince, timeuntil

from sites.models import Site
from sites.people import Act, may, visible
from sites.people.backend import TABLE


class RolesMixin:
    """Django's questions, each asked about the site that a row is about (``sites.people``).

    ``site_path`` leads from a row to its site, as in “deployment__site”, and is empty for sites
    themselves. Rows of a model without one are the installation's: ``ADMINISTER``.
    """

    site_path: ClassVar[str | None] = None
    opts: Any

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)  # type: ignore[misc]
        if self.site_path is None:
            return rows if may(request.user, Act.ADMINISTER) else rows.none()
        return visible(request.user, rows, path=self.site_path)

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return self.may_row(request, "add", *args)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may_row(request, "view", obj) or self.may_row(request, "change", obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may_row(request, "change", obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may_row(request, "delete", obj)

    def may_row(self, request: HttpRequest, verb: str, obj: Any = None) -> bool:
        """Without a row: whether there is a site that it may be done to."""
        if obj is not None:
            for name in filter(None, (self.site_path or "").split("__")):
                obj = getattr(obj, name, None)
            if obj is None:
                return may(request.user, Act.ADMINISTER)
        permission = f"{self.opts.app_label}.{verb}_{self.opts.model_name}"
        return bool(request.user.has_perm(permission, obj))

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Of sites, those for which the person may make such a row."""
        if db_field.related_model is Site and "queryset" not in kwargs:
            act = TABLE[f"{self.opts.app_label}.add_{self.opts.model_name}"]
            kwargs["queryset"] = visible(request.user, Site.objects.all(), act)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)  # type: ignore[misc]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """One button saves."""
        context["show_save_and_add_another"] = context["show_save_and_continue"] = False
        answer: HttpResponse = super().render_change_form(  # type: ignore[misc]
            request, context, *args, **kwargs
        )
        return answer

    def get_urls(self) -> list[URLPattern]:
        """Without Django's history of a row, which knows of forms alone: there is the audit log."""
        urls: list[URLPattern] = super().get_urls()  # type: ignore[misc]
        return [each for each in urls if not (each.name or "").endswith("_history")]

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """What is kept about a row goes with it, and is counted, for there may be thousands of it;
        that nobody deletes it by itself is no reason."""
        found: Any = super().get_deleted_objects(objs, request)  # type: ignore[misc]
        deletable, counts, _, protected = found
        return [each for each in deletable if not isinstance(each, list)], counts, set(), protected

    def _get_obj_does_not_exist_redirect(self, *args: Any) -> NoReturn:
        raise Http404("No such thing, or none of yours.")


class VisibleFilter(RelatedFieldListFilter):
    """By a row that this one refers to: of those, the ones of visible sites alone."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> Any:
        model = field.related_model
        path = "" if model is Site else "site"
        rows = visible(request.user, model._default_manager.all(), path=path)
        return [(row.pk, str(row)) for row in rows]


if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin
else:
    # unfold has no types of its own, and neither its classes nor Django's take parameters.
    from unfold.admin import ModelAdmin as UnfoldModelAdmin

    class ModelAdmin(RolesMixin, UnfoldModelAdmin):
        def __class_getitem__(cls, _: object) -> type:
            return cls


__all__ = [
    "HistoryAdmin",
    "ModelAdmin",
    "VisibleFilter",
    "ago",
    "badge",
    "shortened",
    "until",
]

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
    days = round(seconds / 86_400)
    if seconds < 60:
        words = f"{seconds:.0f} s"
    elif 2 <= days < 60:  # two weeks from now are not "1 week"
        words = f"{days} days"
    else:
        words = timeuntil(moment, depth=1)
    return _time(moment, f"in {words}")


def _time(moment: datetime, words: str) -> SafeString:
    """There are a hundred on a page; nothing in it is to be escaped."""
    exactly = f"{moment.day} {moment:%B %Y, %H:%M:%S} UTC"
    return SafeString(
        f'<time class="muted" datetime="{moment.isoformat()}" title="{exactly}">{words}</time>'
    )


def shortened(message: str) -> SafeString | str:
    """An error in a list; the whole of it is on the page of its row."""
    text = Truncator(message).chars(140)
    return text and format_html('<span class="error-text">{}</span>', text)
