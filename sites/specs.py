"""What is asked for, from the rows, as the specs that provisioning takes."""

from __future__ import annotations

from sites import provisioning
from sites.models import Account, Resource, Site


def account_spec(account: Account, site: Site | None = None) -> provisioning.AccountSpec:
    return provisioning.AccountSpec(
        uid=account.short_uid,
        account_id=account.aws_account_id,
        region=account.region,
        headers=_headers_in_use(account, site),
    )


def site_spec(site: Site) -> provisioning.SiteSpec:
    domains = tuple(site.domains.values_list("name", flat=True))
    return provisioning.SiteSpec(
        uid=str(site.uid),
        name=site.name,
        account_id=site.account.aws_account_id,
        region=site.account.region,
        domains=domains,
        has_counter=site.has_counter,
        counter_slots=site.counter_slots,
        price_class=site.price_class,
        headers=site.headers,
        leaving=_leaving(site, domains),
        # Without an id it may have counted too: the create was sent, and nobody saw its end.
        keeps_counts=site.resources.filter(type="counter_schema").exists(),
    )


def _leaving(site: Site, domains: tuple[str, ...]) -> tuple[str, ...]:
    """A site that is destroyed is left by all at once."""
    if site.state == Site.State.DESTROYING:
        return ()
    records = site.resources.filter(type="alias_record")
    return tuple(sorted({row.inputs["domain_name"] for row in records}.difference(domains)))


def _headers_in_use(account: Account, site: Site | None) -> frozenset[str]:
    """The presets that sites ask for, and those that distributions still have.

    ``site`` is about to change over; until the others do, they keep theirs.
    """
    wanted = account.sites.exclude(state=Site.State.DRAFT).values_list("headers", flat=True)
    presets = {
        row.physical_id: row.inputs.get("preset", Site.Headers.STANDARD)
        for row in account.resources.filter(site=None, type="response_headers_policy")
    }
    distributions = Resource.objects.filter(account=account, type="distribution")
    used = distributions.exclude(site=site).values_list(
        "inputs__response_headers_policy_id", flat=True
    )
    own = {site.headers} if site else set()
    return frozenset({*wanted, *own, *(presets[key] for key in used if key in presets)})
