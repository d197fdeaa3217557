"""Whether Amazon may issue certificates for a domain (RFC 8659)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from sites.provisioning.preflight.dns import Caa, DnsBroken
from sites.provisioning.preflight.findings import Finding, listed
from sites.provisioning.preflight.look import Look
from sites.provisioning.resources.record_set import base_of

# https://docs.aws.amazon.com/acm/latest/userguide/setup-caa.html
AMAZON = frozenset({"amazon.com", "amazontrust.com", "awstrust.com", "amazonaws.com"})
KNOWN_TAGS = frozenset({"issue", "issuewild", "iodef"})
CRITICAL = 128


def caa(look: Look, domains: Iterable[str]) -> Iterator[Finding]:
    """One finding for each name whose records forbid it; ACM would give the certificate up."""
    forbidding: dict[str, tuple[Sequence[Caa], list[str]]] = {}
    for domain in domains:
        try:
            name, records = relevant(domain, look.dns.caa)
        except DnsBroken:
            yield _unanswered(domain)
            continue
        if not allows(records, is_wildcard=domain.startswith("*.")):
            forbidding.setdefault(name, (records, []))[1].append(domain)
    for name, (records, names) in forbidding.items():
        yield _forbidden(name, records, tuple(names))


def relevant(domain: str, ask: Callable[[str], Sequence[Caa]]) -> tuple[str, Sequence[Caa]]:
    """The nearest name at or above the domain that has records, and those."""
    name = base_of(domain)
    while name:
        if records := ask(name):
            return name, records
        name = name.partition(".")[2]
    return "", ()


def allows(records: Sequence[Caa], *, is_wildcard: bool = False) -> bool:
    """No ``issue`` forbids nothing; an unknown property that is critical forbids everything.

    For wildcards, ``issuewild`` takes the place of ``issue`` where there is one.
    """
    if any(record.flags & CRITICAL and record.tag.lower() not in KNOWN_TAGS for record in records):
        return False
    issuers = _issuers(records, _tag(records, is_wildcard=is_wildcard))
    return not issuers or not AMAZON.isdisjoint(issuers)


def _tag(records: Sequence[Caa], *, is_wildcard: bool) -> str:
    """The property that says who may issue for the name."""
    has_wild = any(record.tag.lower() == "issuewild" for record in records)
    return "issuewild" if is_wildcard and has_wild else "issue"


def _issuers(records: Sequence[Caa], tag: str) -> set[str]:
    """Empty text for a record that names nobody: ``issue ";"``."""
    return {
        record.value.partition(";")[0].strip().lower()
        for record in records
        if record.tag.lower() == tag
    }


def _forbidden(name: str, records: Sequence[Caa], domains: tuple[str, ...]) -> Finding:
    tag = _tag(records, is_wildcard=all(domain.startswith("*.") for domain in domains))
    others = _issuers(records, tag) - {""}
    who = f"lets only {listed(others)} issue certificates" if others else "lets nobody issue any"
    return Finding(
        "caa",
        name,
        f"The CAA record of {name} {who}, so Amazon may not make one for {listed(domains)}.",
        f'Add this record at the DNS of {name}: {name} CAA 0 {tag} "amazon.com".',
        blocks=True,
        domains=domains,
    )


def _unanswered(domain: str) -> Finding:
    return Finding(
        "caa",
        domain,
        f"The name servers of {domain} do not answer whether Amazon may issue its certificate; "
        "Amazon issues none as long as they do not.",
        "Look at the name servers that the registrar shows; one of them answers with an error.",
        domains=(domain,),
    )
