"""What an account has on AWS that we do not know, and what we know that is gone from there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from unfold.widgets import UnfoldAdminTextInputWidget

from sites import orphans
from sites.admin.actions import enqueue, linked
from sites.admin.base import ModelAdmin
from sites.errors import Refused, for_people
from sites.models import Account
from sites.provisioning import ProvisioningError

if TYPE_CHECKING:
    from django.contrib.auth.models import User

# Of each group; the command line lists all.
SHOWN = 100


class ThingForm(forms.Form):
    """``thing`` is the id of an orphan, ``known_as`` its name as the list has it."""

    thing = forms.CharField(widget=forms.HiddenInput)
    known_as = forms.CharField(widget=forms.HiddenInput)


class DeleteForm(ThingForm):
    name = forms.CharField(
        label="Type its name to confirm",
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )

    def clean(self) -> None:
        name, known_as = self.cleaned_data.get("name"), self.cleaned_data.get("known_as")
        if name and name != known_as:
            self.add_error("name", f"That is not the name; it is “{known_as}”.")


def _adopt(account: Account, data: dict[str, Any], user: User) -> str:
    orphans.adopt(account, data["thing"], user)
    return (
        f"Adopted {data['thing']}: its owner's next plan shows whether anything is to be changed."
    )


def _delete(account: Account, data: dict[str, Any], user: User) -> str:
    enqueue(orphans.delete(account, [data["thing"]], [data["name"]], user))
    return f"{data['thing']} is being deleted; the operations tell how far it is."


def _forget(account: Account, data: dict[str, Any], user: User) -> str:
    forgotten = orphans.forget(account, data["thing"], user)
    return f"Forgot {', '.join(forgotten)}."


@dataclass(frozen=True)
class Act:
    slug: str
    title: str
    says: str
    do: Callable[[Account, dict[str, Any], User], str]
    form_class: type[ThingForm] = ThingForm
    danger: bool = False


ACTS = (
    Act(
        "adopt",
        "Adopt",
        "It is written down as its owner's from a look at it. Nothing is changed on AWS; the "
        "owner's next plan shows what is different, if anything.",
        _adopt,
    ),
    Act(
        "delete",
        "Delete",
        "It is deleted on AWS, with everything in it, and cannot be brought back.",
        _delete,
        DeleteForm,
        danger=True,
    ),
    Act(
        "forget",
        "Forget",
        "It is gone from AWS; what was written down about it goes as well. If its owner needs it, "
        "the next plan makes it anew.",
        _forget,
    ),
)


class OrphansMixin(ModelAdmin[Account]):
    """The pages, for the admin of accounts. Seen by who may see accounts, acted on by who may
    change them."""

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        acts = [
            path(
                f"<int:pk>/orphans/{act.slug}/",
                wrap(partial(self._act, act)),
                name=f"sites_account_orphans_{act.slug}",
            )
            for act in ACTS
        ]
        page = path("<int:pk>/orphans/", wrap(self._orphans), name="sites_account_orphans")
        return [page, *acts, *super().get_urls()]

    def _orphans(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The page at once; with ``?part``, what AWS lists."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        account = get_object_or_404(Account, pk=pk)
        context = self._context(request, account, "What is on AWS that we do not know")
        if "part" not in request.GET:
            return TemplateResponse(request, "sites/orphans.html", context)
        try:
            with for_people():
                found = orphans.of_account(account)
        except (Refused, ProvisioningError) as error:
            context["problem"] = f"AWS could not be asked. {error}"
        else:
            context |= {
                "orphans": found,
                "shown": SHOWN,
                "may_act": self.has_change_permission(request, account),
            }
        return TemplateResponse(request, "sites/orphans_found.html", context)

    def _act(self, act: Act, request: HttpRequest, pk: int) -> HttpResponse:
        if not self.has_change_permission(request):
            raise PermissionDenied
        account = get_object_or_404(Account, pk=pk)
        back = reverse("admin:sites_account_orphans", args=[pk])
        form = act.form_class(request.POST or None, initial=linked(request, act.form_class))
        if not form["thing"].value():  # an address without what a link has
            return redirect(back)
        if request.method == "POST" and form.is_valid():
            try:
                with for_people():
                    message = act.do(account, form.cleaned_data, cast("User", request.user))
            except (Refused, ProvisioningError) as error:
                form.add_error(None, str(error))
            else:
                self.log_change(request, account, message)
                self.message_user(request, message)
                return redirect(back)
        context = self._context(request, account, f"{act.title}: {account.name}") | {
            "about": form["thing"].value(),
            "says": [act.says],
            "action": act,
            "form": form,
            "back": back,
        }
        return TemplateResponse(request, "sites/confirm.html", context)

    def _context(self, request: HttpRequest, account: Account, title: str) -> dict[str, Any]:
        return {
            **self.admin_site.each_context(request),
            "title": title,
            "opts": Account._meta,
            "original": account,
            "account": account,
        }
