"""What can be done to a site that is served; the base of those, and the smallest."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from django import forms
from django.db import transaction
from unfold.widgets import UnfoldAdminTextareaWidget

from deployments import invalidation_rows, tasks
from sites.admin.actions import SiteAction, SiteForm
from sites.errors import Refused
from sites.models import Site

if TYPE_CHECKING:
    from django.contrib.auth.models import User

# What a release needs of its site.
SERVING = frozenset({"bucket", "key_value_store", "distribution"})


class ServingAction(SiteAction):
    """Offered once there is something to publish to."""

    def is_offered(self, site: Site, ready: frozenset[str]) -> bool:
        return ready >= SERVING and site.state != Site.State.DESTROYING


class PathsForm(SiteForm):
    paths = forms.CharField(
        label="Paths, one per line",
        help_text="Such as /data/* or /feed.xml. AWS gives 1,000 paths a month for nothing.",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 6, "spellcheck": "false"}),
    )

    def clean_paths(self) -> list[str]:
        return [line.strip() for line in self.cleaned_data["paths"].splitlines() if line.strip()]


class Invalidate(ServingAction):
    slug, title, icon = "invalidate", "Invalidate paths", "cached"
    form_class = PathsForm

    def explain(self, site: Site, form: SiteForm) -> dict[str, Any]:
        return {
            "says": [
                "CloudFront forgets these paths and asks for them anew. Deployments never need "
                "this; what functions write under /data/ may."
            ]
        }

    def act(self, site: Site, form: SiteForm, user: User) -> str:
        try:
            row = invalidation_rows.request(site, form.cleaned_data["paths"])
        except ValueError as refused:
            raise Refused(str(refused)) from refused
        transaction.on_commit(partial(tasks.send_invalidation.delay, row.pk))
        return f"The invalidation of {row} is on its way."
