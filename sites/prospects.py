"""A site that has no row yet: what would be made for it, and what that would run into."""

from __future__ import annotations

from sites import provisioning, stacks
from sites.access import clients_for
from sites.models import Site
from sites.preflight import findings_of
from sites.provisioning.preflight import Finding
from sites.specs import new_site_spec
from sites.store import RowStore


def plan(site: Site, domains: tuple[str, ...]) -> provisioning.Plan:
    """What ``operations.plan`` would say once the site was saved with these domains.

    Names on AWS come from its uid, so the plan holds for the row that gets the same one.
    """
    account = site.account
    clients = clients_for(account)
    shared = provisioning.plan(
        stacks.of_account(account, site), clients, RowStore(None, account, None)
    )
    own = stacks.of_spec(new_site_spec(site, domains), account)
    return provisioning.plan(own, clients, RowStore(None, account, site)).after(shared)


def findings(
    site: Site, domains: tuple[str, ...], planned: provisioning.Plan
) -> tuple[Finding, ...]:
    return findings_of(new_site_spec(site, domains), site.account, planned)
