"""What is wrong, told before anything is created, and again while it is waited for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from cloudadmin.aws import BotoCoreError, ClientError
from sites.provisioning.plan import Create, Delete, Plan
from sites.provisioning.preflight.aliases import held_here, seen_elsewhere
from sites.provisioning.preflight.caa import caa
from sites.provisioning.preflight.delegation import delegation
from sites.provisioning.preflight.dns import Dns, DnsSilent
from sites.provisioning.preflight.findings import Blocked, Code, Finding, raise_if_blocked
from sites.provisioning.preflight.look import Look
from sites.provisioning.preflight.permissions import permissions
from sites.provisioning.preflight.quotas import quotas
from sites.provisioning.preflight.waits import explained

if TYPE_CHECKING:
    from cloudadmin.aws import Clients
    from sites.provisioning.specs import SiteSpec

__all__ = [
    "Blocked",
    "Dns",
    "Finding",
    "Look",
    "about_names",
    "explained",
    "preflight",
    "raise_if_blocked",
]


def preflight(spec: SiteSpec, clients: Clients, dns: Dns, plan: Plan) -> tuple[Finding, ...]:
    """What the plan would run into; those that block first. Asks only what the plan needs.

    What cannot be asked is a finding itself, never an error.
    """
    look = Look(clients, dns)
    made = [change for change in plan.effective if isinstance(change, Create)]
    changed = {change.type for change in plan.effective if not isinstance(change, Delete)}
    joining = _names(each.label.partition(" ")[0] for each in made if each.type == "alias_record")
    certified = _names(
        domain for each in made if each.type == "certificate" for domain in each.label.split()
    )
    found = (
        *_of_names(look, spec.prefix, joining, certified),
        *_asked("quota", quotas(look, plan, spec.domains)),
        *permissions(look, changed, spec.prefix),
    )
    return _those_that_block_first(found)


def about_names(
    clients: Clients, dns: Dns, names: tuple[str, ...], prefix: str = ""
) -> tuple[Finding, ...]:
    """The same of names alone, before there is a plan; ``prefix`` is of the site that they are
    of, if there is one."""
    return _those_that_block_first(_of_names(Look(clients, dns), prefix, names, names))


def _of_names(
    look: Look, prefix: str, joining: tuple[str, ...], certified: tuple[str, ...]
) -> Iterator[Finding]:
    yield from _asked("alias", held_here(look, prefix, joining))
    yield from _asked("caa", caa(look, certified))
    yield from _asked("delegation", delegation(look, joining))
    yield from _asked("alias", seen_elsewhere(look, prefix, joining))


def _those_that_block_first(found: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(dict.fromkeys(found), key=lambda finding: not finding.blocks))


def _names(names: Iterator[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def _asked(code: Code, findings: Iterator[Finding]) -> Iterator[Finding]:
    try:
        yield from findings
    except DnsSilent:
        yield Finding(
            "delegation",
            "the DNS",
            "The DNS does not answer here, so name servers and CAA records could not be looked at.",
            "Let this machine ask a DNS resolver, or set CLOUDADMIN_DNS_URL to one that is asked "
            "over HTTPS, such as https://dns.google/dns-query.",
        )
    except (ClientError, BotoCoreError) as error:
        yield Finding(
            code,
            "AWS",
            f"AWS did not let us look: {str(error).rstrip('.')}.",
            "`manage.py iam_policy` prints the policy that the account's role needs.",
        )
