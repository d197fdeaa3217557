"""Deployments at addresses of their own, for those who shall look before everybody does.

A preview is one more head: ``d12.preview.example.com`` shows deployment #12 as long as it is kept,
``feature-login.preview.example.com`` the newest deployment of that branch. Search engines are told
to stay away, and a protected site's previews are protected as it is.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils import timezone

from deployments import access, publish
from deployments.edge import index_rows
from deployments.errors import DeploymentRefused
from deployments.models import Deployment
from deployments.preview_names import hosts_of, label_of, own_label
from deployments.progress import deciding
from sites.models import Domain, Resource, Site
from sites.models.domain import WILDCARD, base_of

if TYPE_CHECKING:
    from cloudadmin.aws import Clients
    from deployments.target import Target

__all__ = [
    "close",
    "domain_of",
    "expire",
    "host_of",
    "label_of",
    "listed",
    "own_label",
    "serve",
    "url_of",
]

State = Deployment.State


def domain_of(site: Site) -> str:
    """The domain below which the site's previews are, without the star.

    Raises DeploymentRefused, with what to do, when there is none, or the edge has not got it yet.
    """
    names = list(_domains(site))
    if not names:
        raise DeploymentRefused(
            f"{site.name} has no domain for previews. Add one that begins with a star, such as "
            f"`manage.py change_site {site.name} --add-domain '*.preview.example.com' --wait`."
        )
    distribution = Resource.objects.filter(site=site, logical_id="distribution").first()
    aliases = distribution.attributes.get("aliases", []) if distribution else []
    attached = next((name for name in names if name in aliases), None)
    if attached is None:
        raise DeploymentRefused(
            f"{names[0]} is not at the edge yet; `manage.py site_status {site.name}` says what it "
            "waits for.",
            try_again=True,
        )
    return base_of(attached)


def host_of(deployment: Deployment) -> str:
    """Raises DeploymentRefused when the site has no domain for previews."""
    return hosts_of(deployment, [domain_of(deployment.site)])[0]


def url_of(deployment: Deployment) -> str:
    """The address to open in a browser, or "" when the site has no domain for previews."""
    base = next((base_of(name) for name in _domains(deployment.site)), None)
    if base is None:
        return ""
    host = hosts_of(deployment, [base])[0]
    edge_url: str | None = settings.CLOUDADMIN_EDGE_URL
    if edge_url:
        edge = urlsplit(edge_url)
        return f"{edge.scheme}://{host}.localhost:{edge.port or 80}/"
    return f"https://{host}/"


def serve(deployment: Deployment, target: Target, clients: Clients) -> None:
    """Show an indexed deployment at its addresses; the caller holds it.

    The branch's address shows the newest deployment of the branch: those before it keep their own.
    """
    site = deployment.site
    days = access.settings_of(site).preview_days
    with deciding(site):
        label = _free_label(deployment)
        for other in _listed(site).filter(label=label).exclude(pk=deployment.pk):
            other.label = own_label(other)
            other.save(update_fields=["label"])
        deployment.write(
            is_previewed=True, label=label, expires_at=timezone.now() + timedelta(days=days)
        )
        index_rows.settled(site)
        access.ask_for_heads(site)
    publish.flip(site, target, clients)


def listed(site: Site) -> QuerySet[Deployment]:
    """The site's previews, the newest first."""
    return _listed(site).select_related("site").defer("manifest")


def close(site: Site, label: str) -> list[int]:
    """Take a preview away, and with a branch's all that the branch has; the numbers of those.

    Raises DeploymentRefused when there is none.
    """
    with deciding(site):
        found = next((row for row in listed(site) if label in (row.label, own_label(row))), None)
        if found is None:
            labels = ", ".join(row.label for row in listed(site)) or "none"
            raise DeploymentRefused(f"{site.name} has no preview “{label}”. It has: {labels}.")
        rows = Q(pk=found.pk)
        if label != own_label(found) and found.ref:
            rows |= Q(ref=found.ref)
        numbers = _close(site, rows, "Closed.")
    access.write_heads(site)
    return numbers


def expire() -> list[Site]:
    """Close what has had its time, for beat; the sites that lost previews."""
    late = Q(expires_at__lte=timezone.now())
    sites = Site.objects.filter(
        deployments__in=Deployment.objects.filter(late, is_previewed=True)
    ).exclude(state=Site.State.DESTROYING)
    expired = list(sites.distinct())
    for site in expired:
        with deciding(site):
            _close(site, late, "Closed: nothing was deployed to it for long.")
        access.write_heads(site)
    return expired


def _close(site: Site, rows: Q, because: str) -> list[int]:
    """Beat, too, writes the heads of what is recorded here."""
    going = _listed(site).filter(rows)
    numbers = list(going.values_list("number", flat=True))
    going.filter(is_published=False, state=State.SUCCESS).update(
        state=State.INACTIVE, error_message=because
    )
    _listed(site).filter(number__in=numbers).update(is_previewed=False, expires_at=None)
    access.ask_for_heads(site)
    return numbers


def _free_label(deployment: Deployment) -> str:
    """That of its branch, unless a newer deployment has it, or it is the name of a site."""
    own = own_label(deployment)
    label = deployment.label or own
    if _listed(deployment.site).filter(label=label, number__gt=deployment.number).exists():
        return own
    names = [f"{label}.{base_of(name)}" for name in _domains(deployment.site)]
    return own if Domain.objects.filter(name__in=names).exists() else label


def _listed(site: Site) -> QuerySet[Deployment]:
    return Deployment.objects.filter(site=site, is_previewed=True)


def _domains(site: Site) -> QuerySet[Domain, str]:
    names = site.domains.filter(name__startswith=WILDCARD)
    return names.values_list("name", flat=True)
