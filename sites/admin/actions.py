"""What a person can have done to a site: a page that says what would happen, then a POST.

An action answers GET with its confirm page and acts on POST alone; what refuses it is said in a
sentence on the same page. A page whose answer takes seconds appears at once, and asks for that
part of itself.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, cast

from django import forms
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.widgets import UnfoldAdminTextInputWidget

from cloudadmin.login.again import asked_again
from sites import farewell, operations, tasks
from sites.errors import Refused, for_people
from sites.models import Operation, Site
from sites.people import Act, may
from sites.provisioning import ProvisioningError
from sites.visits import query
from sites.waking import wake

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from sites.admin.base import ModelAdmin


class SiteForm(forms.Form):
    """What an action asks before it acts; ``site`` is the one it is about."""

    def __init__(self, *args: Any, site: Site, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.site = site


class SiteAction:
    """``slug`` ends its address, ``title`` is its button, ``icon`` a Material symbol.

    ``part`` is the template of what takes seconds to ``explain``; htmx asks for it with ``?part``.
    ``asks_again``: who has not just proven who they are does so first.
    """

    slug: ClassVar[str]
    title: ClassVar[str]
    icon: ClassVar[str]
    permission: ClassVar[str] = "sites.change_site"
    form_class: ClassVar[type[SiteForm]] = SiteForm
    template: ClassVar[str] = "sites/confirm.html"
    part: ClassVar[str] = ""
    danger: ClassVar[bool] = False
    # The button that does not do it.
    leave: ClassVar[str] = "Cancel"
    asks_again: ClassVar[bool] = False
    # The page of the site that has its button; and the one that is shown when it was done.
    tab: ClassVar[str] = "change"
    lands: ClassVar[str] = ""

    def is_offered(self, site: Site, ready: frozenset[str]) -> bool:
        """Whether the site's page has the button; ``ready`` are the logical ids that are ready."""
        return True

    def is_put_off(self, request: HttpRequest) -> bool:
        """Whether the page comes first and what ``explain`` says after it."""
        return bool(self.part)

    def at_once(self, site: Site) -> dict[str, Any]:
        """What the confirm page says without asking AWS."""
        return {}

    def explain(self, site: Site, form: SiteForm) -> dict[str, Any]:
        """What the confirm page says: ``says`` (sentences) and whatever its template needs."""
        return {}

    def act(self, site: Site, form: SiteForm, user: User) -> str:
        """Do it; the sentence for the person. Raises Refused."""
        raise NotImplementedError

    def require(self, request: HttpRequest, site: Site) -> None:
        """Raises Http404 for a site of others, PermissionDenied beyond the person's role."""
        if not may(request.user, Act.VIEW, site):
            raise Http404("No such site, or none of yours.")
        if not request.user.has_perm(self.permission, site):
            raise PermissionDenied

    def leads_to(self, site: Site, form: SiteForm) -> str:
        """Where whoever did it goes on."""
        return reverse(f"admin:sites_site_{self.lands or self.tab}", args=[site.pk])

    def view(self, request: HttpRequest, site: Site, model_admin: ModelAdmin[Site]) -> HttpResponse:
        self.require(request, site)
        if self.asks_again and (question := asked_again(request)):
            return question
        form = self.form_class(
            request.POST if request.method == "POST" else None,
            request.FILES if request.method == "POST" else None,
            initial=linked(request, self.form_class),
            site=site,
        )
        if request.method == "POST" and form.is_valid():
            try:
                with for_people():
                    message = self.act(site, form, cast("User", request.user))
            except Refused as refused:
                form.add_error(None, str(refused))
            else:
                model_admin.log_change(request, site, message)
                model_admin.message_user(request, message)
                return redirect(self.leads_to(site, form))
        return self._confirm_page(request, site, form, model_admin)

    def _confirm_page(
        self, request: HttpRequest, site: Site, form: SiteForm, model_admin: ModelAdmin[Site]
    ) -> HttpResponse:
        is_part = bool(self.part) and "part" in request.GET
        is_coming = not is_part and self.is_put_off(request)
        context = {
            **model_admin.admin_site.each_context(request),
            **self.at_once(site),
            **({"is_coming": True} if is_coming else self.explain(site, form)),
            "title": f"{self.title}: {site.name}",
            "opts": Site._meta,
            "original": site,
            "about": site.name,
            "back": reverse(f"admin:sites_site_{self.tab}", args=[site.pk]),
            "site": site,
            "action": self,
            "form": form,
        }
        return TemplateResponse(request, self.part if is_part else self.template, context)


class NameForm(SiteForm):
    name = forms.CharField(
        label="Type the site's name to confirm",
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if name != self.site.name:
            raise forms.ValidationError(f"That is not the name; it is “{self.site.name}”.")
        return name


class Destroy(SiteAction):
    slug, title, icon = "destroy", "Destroy", "delete_forever"
    permission = "sites.delete_site"
    form_class = NameForm
    template = "sites/destroy.html"
    part = "sites/stays.html"
    danger = True
    asks_again = True
    tab, lands = "settings", "change"

    def is_offered(self, site: Site, ready: frozenset[str]) -> bool:
        return site.state not in (Site.State.DESTROYING, Site.State.DRAFT)

    def at_once(self, site: Site) -> dict[str, Any]:
        return {"resources": list(site.resources.all()), "visits": query.total(site)}

    def explain(self, site: Site, form: SiteForm) -> dict[str, Any]:
        try:
            with for_people():
                return {"stays": farewell.retained(site)}
        except (Refused, ProvisioningError) as error:
            return {"problem": f"What stays on AWS cannot be told now. {error}"}

    def act(self, site: Site, form: SiteForm, user: User) -> str:
        enqueue(operations.request(site, Operation.Kind.DESTROY, user))
        return f"{site.name} is being destroyed; this page shows how far it is."


class SyncVisits(SiteAction):
    slug, title, icon = "sync-visits", "Sync visits now", "sync"
    tab = "visitors"

    def is_offered(self, site: Site, ready: frozenset[str]) -> bool:
        return site.has_counter and site.state == Site.State.LIVE

    def explain(self, site: Site, form: SiteForm) -> dict[str, Any]:
        return {
            "says": [
                f"Pull the counters of {site.account} now instead of at the next round: all that "
                "it has count in one database. Pulling twice counts nothing twice."
            ]
        }

    def act(self, site: Site, form: SiteForm, user: User) -> str:
        transaction.on_commit(partial(tasks.sync_visits_of_account.delay, site.account_id))
        return "The counters are being pulled; the numbers are here in a few seconds."


def linked(request: HttpRequest, form_class: type[forms.Form]) -> dict[str, str]:
    """What a link may fill in: what the action is about, and nothing that a person has to type."""
    fields = form_class.base_fields
    hidden = {name for name, field in fields.items() if field.widget.is_hidden}
    return {name: value for name, value in request.GET.dict().items() if name in hidden}


def enqueue(operation: Operation) -> None:
    wake(tasks.run_operation.delay, operation.pk)
