"""The bridge between a site's rows and the looks at its account and at the DNS."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from django.conf import settings

from cloudadmin.aws import BotoCoreError, ClientError
from sites import provisioning
from sites.access import clients_for
from sites.models import Account, Operation, Site
from sites.provisioning.preflight import (
    Dns,
    Finding,
    Look,
    about_names,
    explained,
    preflight,
)
from sites.specs import site_spec
from sites.store import record_of

DOMAIN_TYPES = ("alias_record", "certificate", "validation_record")


def findings(site: Site, plan: provisioning.Plan) -> tuple[Finding, ...]:
    """What the plan would run into. Takes seconds where AWS and the DNS are far."""
    return findings_of(site_spec(site), site.account, plan)


def findings_of(
    spec: provisioning.SiteSpec, account: Account, plan: provisioning.Plan
) -> tuple[Finding, ...]:
    return preflight(spec, clients_for(account), _dns(), plan)


def about_domain(account: Account, name: str) -> tuple[Finding, ...]:
    """What is known of a domain that a new site shall have; takes seconds as well."""
    return about_names(clients_for(account), _dns(), (name,))


def dns_findings(site: Site) -> tuple[Finding, ...]:
    """What is wrong with the site's domains in the DNS as it is now. Takes seconds."""
    names = tuple(site.domains.values_list("name", flat=True))
    return about_names(clients_for(site.account), _dns(), names, site_spec(site).prefix)


def explained_waits(
    operation: Operation, waits: tuple[provisioning.Wait, ...]
) -> provisioning.Outcome:
    """The same waits, each with its cause; done when a DNS elsewhere has what was missing."""
    site = operation.site
    if site is None:
        return provisioning.Waiting(waits)
    asked = tuple(wait for wait in waits if wait.asks)
    waits = tuple(wait for wait in waits if not wait.asks)
    rows = site.resources.filter(type__in=DOMAIN_TYPES)
    resources = {row.logical_id: record_of(row).resource for row in rows}
    # Told as they are where AWS does not let us look: the pass itself went well.
    with suppress(ClientError, BotoCoreError):
        waits = explained(waits, resources, Look(clients_for(site.account), _dns()))
    waits = asked + waits
    if not waits:
        return provisioning.Done()
    begun = {wait["what"]: datetime.fromisoformat(wait["since"]) for wait in operation.waits}
    return provisioning.Waiting(
        tuple(
            replace(wait, since=min(wait.since, begun.get(wait.what, wait.since))) for wait in waits
        )
    )


def _dns() -> Dns:
    return Dns(settings.CLOUDADMIN_DNS_URL)
