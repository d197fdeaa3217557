"""What a person can have done to one row, each with its confirm page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from django.contrib import messages
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from sites.admin.base import ModelAdmin
from sites.errors import Refused, for_people
from sites.models import Site
from sites.people import Act, get_for, may

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True)
class RowAction(Generic[Row]):
    """``act`` answers with a sentence for the row's page, or with a page of its own; it raises
    Refused."""

    slug: str
    title: str
    icon: str
    says: str
    act: Callable[[HttpRequest, Row], HttpResponse | str]
    is_offered: Callable[[Row], bool] = lambda row: True
    danger: bool = False
    needs: Act = Act.OPERATE


class ActingAdmin(ModelAdmin[Row]):
    """Rows of a site, for those who operate it."""

    site_path = "site"
    actions = None
    change_form_template = "deployments/acting.html"
    row_actions: tuple[RowAction[Any], ...] = ()

    def get_urls(self) -> list[URLPattern]:
        acts = [
            path(
                f"<int:pk>/{action.slug}/",
                self.admin_site.admin_view(partial(self._act, action)),
                name=self._name(action.slug),
            )
            for action in self.row_actions
        ]
        return [*acts, *super().get_urls()]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        row = kwargs.get("obj")
        if row is not None:
            context |= self.panel_context(request, row)
            context["row_actions"] = [
                (action, reverse(f"admin:{self._name(action.slug)}", args=[row.pk]))
                for action in self.row_actions
                if may(request.user, action.needs, self._site_of(row)) and action.is_offered(row)
            ]
        return super().render_change_form(request, context, *args, **kwargs)

    def panel_context(self, request: HttpRequest, row: Row) -> dict[str, Any]:
        """What the page says above its form."""
        return {}

    def secret_page(self, request: HttpRequest, row: Row, **said: Any) -> HttpResponse:
        """A secret in the answer that made it, and never again."""
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": row,
            "back": self._page(row),
            **said,
        }
        response = TemplateResponse(request, "deployments/secret.html", context)
        response["Cache-Control"] = "no-store"
        return response

    def _act(self, action: RowAction[Row], request: HttpRequest, pk: int) -> HttpResponse:
        rows = self.get_queryset(request)
        row = get_for(request.user, action.needs, rows, path=self.site_path, pk=pk)
        problem = ""
        if request.method == "POST":
            try:
                with for_people():
                    done = action.act(request, row)
            except Refused as refused:
                problem = str(refused)
            else:
                self.log_change(request, row, action.title)
                if isinstance(done, HttpResponse):
                    return done
                self.message_user(request, done, messages.SUCCESS)
                return redirect(self._page(row))
        context = {
            **self.admin_site.each_context(request),
            "title": f"{action.title}: {row}",
            "opts": self.opts,
            "original": row,
            "about": row,
            "back": self._page(row),
            "action": action,
            "says": [action.says],
            "problem": problem,
        }
        return TemplateResponse(request, "sites/confirm.html", context)

    def _site_of(self, row: Any) -> Site:
        for name in self.site_path.split("__"):
            row = getattr(row, name)
        site: Site = row
        return site

    def _name(self, slug: str) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_{slug}"

    def _page(self, row: Row) -> str:
        return reverse(f"admin:{self._name('change')}", args=[row.pk])
