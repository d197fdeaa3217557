"""What is asked for, from the rows, as the specs that provisioning takes."""

from __future__ import annotations

from dataclasses import replace

from sites import provisioning
from sites.models import Account, Resource, Site


def account_spec(account: Account, site: Site | None = None) -> provisioning.AccountSpec:
    return provisioning.AccountSpec(
        uid=account.short_uid,
        account_id=account.aws_account_id,
        region=account.region,
        headers=_headers_in_use(account, site),
        has_database=not account.counter_host or own_database(account) is not None,
        let_in=_let_in(account),
    )


def site_spec(site: Site) -> provisioning.SiteSpec:
    domains = tuple(site.domains.values_list("name", flat=True))
    return replace(
        new_site_spec(site, domains),
        leaving=_leaving(site, domains),
        # Without an id it may have counted too: the create was sent, and nobody saw its end.
        keeps_counts=site.resources.filter(type="counter_schema").exists(),
    )


def new_site_spec(site: Site, domains: tuple[str, ...]) -> provisioning.SiteSpec:
    """Of a site that nothing was made for; it may not even have a row."""
    return provisioning.SiteSpec(
        uid=str(site.uid),
        name=site.name,
        account_id=site.account.aws_account_id,
        region=site.account.region,
        domains=domains,
        has_counter=site.has_counter,
        counter_slots=site.counter_slots,
        database=existing_database(site.account),
        price_class=site.price_class,
        headers=site.headers,
    )


def own_database(account: Account) -> Resource | None:
    """The row of the database that was made for the account's counters."""
    return account.resources.filter(site=None, logical_id="db_instance").first()


def existing_database(account: Account) -> provisioning.Database | None:
    """The one that was there already and that its counters shall use, if any."""
    if not account.counter_host:
        return None
    known = account.counter_instance
    return provisioning.Database(
        host=account.counter_host,
        port=account.counter_port,
        name=account.counter_database,
        user=account.counter_user,
        resource_id=known["resource_id"],
        subnet_ids=tuple(known["subnet_ids"]),
        security_group_ids=tuple(known["security_group_ids"]),
    )


def _let_in(account: Account) -> tuple[str, ...]:
    """The security groups that functions of before are in: until they change over, they are let
    into the account's own database."""
    own = account.resources.filter(site=None, logical_id="security_group").first()
    database = own_database(account)
    if database is None:
        return ()
    functions = Resource.objects.filter(
        account=account,
        type="lambda_function",
        inputs__environment__DATABASE_HOST=database.attributes.get("endpoint_address"),
    )
    groups = {group for row in functions for group in row.inputs["security_group_ids"]}
    return tuple(sorted(groups - {own.physical_id if own else ""}))


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
    used = distributions.exclude(site=site.pk if site else None).values_list(
        "inputs__response_headers_policy_id", flat=True
    )
    own = {site.headers} if site else set()
    return frozenset({*wanted, *own, *(presets[key] for key in used if key in presets)})
