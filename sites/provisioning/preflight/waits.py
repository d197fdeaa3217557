"""Why it waits: one wait for each cause, whatever number of resources it holds up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from sites.provisioning.outcomes import Wait
from sites.provisioning.preflight.caa import caa
from sites.provisioning.preflight.delegation import delegation, ways_out
from sites.provisioning.preflight.dns import Dns, DnsBroken, DnsSilent
from sites.provisioning.preflight.findings import Finding, listed
from sites.provisioning.preflight.look import Look
from sites.provisioning.resources import AliasRecord, Certificate, Resource, ValidationRecord
from sites.provisioning.resources.record_set import base_of

ELSEWHERE = "Their DNS is not in this account, so nobody but you can add their records."
WHY = {
    "delegation": "The world looks for their records elsewhere than in Route 53.",
    "caa": "Amazon may not issue their certificate.",
}


@dataclass(frozen=True)
class Held:
    """A wait for a resource that names of the site depend on."""

    wait: Wait
    resource: AliasRecord | Certificate | ValidationRecord

    @property
    def domains(self) -> tuple[str, ...]:
        if isinstance(self.resource, Certificate):
            return self.resource.domains
        return (self.resource.domain,)

    @property
    def advice(self) -> str:
        return "" if isinstance(self.resource, Certificate) else self.resource.advice


def explained(
    waits: Iterable[Wait], resources: Mapping[str, Resource], look: Look
) -> tuple[Wait, ...]:
    """The waits, those for the site's domains joined by their cause; ``resources`` by logical id.

    A record that a DNS elsewhere has as it should be is not waited for.
    """
    others: list[Wait] = []
    held: list[Held] = []
    for wait in waits:
        resource = resources.get(wait.what)
        if isinstance(resource, AliasRecord | Certificate | ValidationRecord):
            held.append(Held(wait, resource))
        else:
            others.append(wait)
    if not held:
        return tuple(others)
    try:
        return (*others, *_joined(held, resources, look))
    except DnsSilent:
        return (*others, *(each.wait for each in held))


def _joined(held: list[Held], resources: Mapping[str, Resource], look: Look) -> Iterator[Wait]:
    proofs = {
        each.certified_domain: _is_visible(look.dns, each)
        for each in resources.values()
        if isinstance(each, ValidationRecord)
    }
    taken, waiting = [], []
    for each in held:
        if isinstance(each.resource, Certificate):
            waiting.append(each)
        elif look.hosted_zone(each.resource.domain):
            taken.append(each)
        elif not _is_visible(look.dns, each.resource):
            waiting.append(each)
    yield from _by_domain(taken)
    left = waiting
    for finding in _causes(waiting, proofs, look):
        members = [each for each in waiting if not set(finding.domains).isdisjoint(each.domains)]
        left = [each for each in left if each not in members]
        yield _caused(finding, members)
    yield from (_of_certificate(each, proofs) for each in left)


def _causes(waiting: list[Held], proofs: Mapping[str, bool], look: Look) -> Iterator[Finding]:
    certified = [
        domain
        for each in waiting
        if isinstance(each.resource, Certificate)
        for domain in each.domains
    ]
    unseen = [
        domain
        for each in waiting
        for domain in each.domains
        if not (isinstance(each.resource, Certificate) and proofs.get(base_of(domain)))
    ]
    yield from delegation(look, dict.fromkeys(unseen))
    yield from (finding for finding in caa(look, dict.fromkeys(certified)) if finding.blocks)


def _by_domain(taken: list[Held]) -> Iterator[Wait]:
    """Both records of a name wait for the same: that another one goes."""
    by_domain: dict[str, list[Held]] = {}
    for each in taken:
        by_domain.setdefault(each.domains[0], []).append(each)
    for domain, members in by_domain.items():
        todo = dict.fromkeys(each.wait.todo for each in members)
        yield replace(
            _together([each.wait for each in members]), what=f"domain {domain}", todo=" ".join(todo)
        )


def _caused(finding: Finding, members: list[Held]) -> Wait:
    concerned = {domain for each in members for domain in each.domains} & {*finding.domains}
    records = dict.fromkeys(each.advice for each in members if each.advice)
    return replace(
        _together([each.wait for each in members]),
        what=f"domain{'s' if len(concerned) > 1 else ''} {listed(concerned)}",
        why=ELSEWHERE if records else WHY[finding.code],
        last_seen=finding.said,
        todo=ways_out(finding.about, "; ".join(records)) if records else finding.todo,
    )


def _together(waits: list[Wait]) -> Wait:
    """The first, since the first of them began."""
    return replace(
        waits[0],
        since=min(wait.since for wait in waits),
        next_check=min(wait.next_check for wait in waits),
    )


def _of_certificate(held: Held, proofs: Mapping[str, bool]) -> Wait:
    """No cause is known: what the DNS shows by now says how far it is."""
    seen = [domain for domain in held.domains if proofs.get(base_of(domain))]
    unseen = [domain for domain in held.domains if not proofs.get(base_of(domain))]
    told = [held.wait.last_seen]
    if seen:
        told.append(f"the DNS shows the validation records of {listed(seen)}")
    if unseen:
        told.append(f"the DNS does not show the validation records of {listed(unseen)} yet")
    return replace(held.wait, last_seen="; ".join(filter(None, told)))


def _is_visible(dns: Dns, record: AliasRecord | ValidationRecord) -> bool:
    """Whether the world sees the record, or one at another DNS that does the same."""
    try:
        if isinstance(record, ValidationRecord):
            return dns.cname(record.name.rstrip(".")) == record.value.rstrip(".").lower()
        return dns.leads_to(record.domain_name, record.distribution_domain_name)
    except DnsBroken:
        return False
