"""The domains of a site: how far each is, and the records that lead to it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from sites import preflight
from sites.admin.domain_actions import AddDomainForm
from sites.admin.tabs import TabsMixin
from sites.certificates import Lifetime
from sites.errors import Refused, for_people
from sites.models import Domain, Operation, Resource, Site
from sites.models.domain import base_of
from sites.people import Act, may
from sites.provisioning import ProvisioningError
from sites.provisioning.drift import GONE

PROVES, LEADS = "Proves the domain to AWS", "Leads visitors here"
# What stands for AWS's own alias at another DNS.
ELSEWHERE = "CNAME or ALIAS"
TYPES = ("alias_record", "certificate", "distribution", "validation_record")


@dataclass(frozen=True)
class Entry:
    """A record in the DNS; ``is_ours``: in the account's Route 53, and ``is_gone`` from there."""

    type: str
    name: str
    value: str
    purpose: str
    is_ours: bool
    is_there: bool
    is_gone: bool


@dataclass(frozen=True)
class ShownDomain:
    """A domain with how far its certificate and its records are; ``role`` is what it is for."""

    row: Domain
    role: str
    certificate: str = ""
    lifetime: Lifetime | None = None
    is_attached: bool = False
    entries: list[Entry] = field(default_factory=list)
    waits_for: list[str] = field(default_factory=list)

    @property
    def is_open(self) -> bool:
        """Whether its records are what is looked for."""
        return not self.is_attached or any(entry.is_gone for entry in self.entries)

    @property
    def state(self) -> tuple[str, str]:
        """The kind of a badge and its word."""
        if self.is_attached:
            return "live", "Serves"
        if not self.certificate:
            return "draft", "Not on AWS yet"
        if self.certificate not in ("ISSUED", "PENDING_VALIDATION"):
            return "failed", "No certificate"
        return "waits", "Waits"

    @property
    def certificate_badge(self) -> tuple[str, str]:
        if self.lifetime and self.lifetime.needs_attention:
            return "failed", self.lifetime.when.capitalize()
        kinds = {"ISSUED": "live", "PENDING_VALIDATION": "waits", "": "draft"}
        words = {"": "Not asked for", "PENDING_VALIDATION": "Waits for its record"}
        word = words.get(self.certificate, self.certificate.replace("_", " ").capitalize())
        return kinds.get(self.certificate, "failed"), word


def shown_domains(site: Site) -> tuple[list[ShownDomain], list[Lifetime]]:
    """With the certificates that need a person. Two queries, however many domains."""
    domains = list(site.domains.all())
    rows = list(site.resources.filter(type__in=TYPES))
    lives = [Lifetime(row) for row in rows if row.type == "certificate" and row.expires_at]
    distribution = next((row for row in rows if row.type == "distribution"), None)
    attached = distribution.attributes.get("aliases", []) if distribution else []
    first = next((d for d in domains if not d.redirects and not d.is_wildcard), None)
    shown = [
        ShownDomain(
            domain,
            _role(domain, first),
            certificate=_certificate_of(domain, rows),
            lifetime=max(
                (life for life in lives if domain.name in life.domains),
                key=lambda life: life.left,
                default=None,
            ),
            is_attached=domain.name in attached,
            entries=list(_entries(domain, rows)),
            waits_for=list(dict.fromkeys(_waits(domain, rows))),
        )
        for domain in domains
    ]
    return shown, [life for life in lives if life.needs_attention]


def _role(domain: Domain, first: Domain | None) -> str:
    if domain.is_wildcard:
        return "Previews are below it"
    if domain.redirects:
        return f"Redirects to {first.name}" if first else "Redirects"
    return "The site's address" if domain == first else "Serves the site, too"


def _certificate_of(domain: Domain, rows: Iterable[Resource]) -> str:
    """Its status at ACM; of several, that of one that is issued."""
    found = [
        row.aws_status or "PENDING_VALIDATION"
        for row in rows
        if row.type == "certificate" and domain.name in row.inputs.get("domains", ())
    ]
    return "ISSUED" if "ISSUED" in found else next(iter(found), "")


def _entries(domain: Domain, rows: Iterable[Resource]) -> Iterator[Entry]:
    """What the DNS has to say, once each: A and AAAA are one CNAME elsewhere."""
    seen: set[tuple[str, str]] = set()
    for row in _records_of(domain, rows):
        entry = _entry(row)
        if (entry.name, entry.purpose) not in seen:
            seen.add((entry.name, entry.purpose))
            yield entry


def _records_of(domain: Domain, rows: Iterable[Resource]) -> Iterator[Resource]:
    for row in rows:
        about = row.inputs.get("domain_name") or row.inputs.get("certified_domain")
        if row.type in ("alias_record", "validation_record") and about in (
            domain.name,
            base_of(domain.name) if row.type == "validation_record" else domain.name,
        ):
            yield row


def _entry(row: Resource) -> Entry:
    told, is_ours = row.inputs, bool(row.physical_id)
    seen = (is_ours, row.is_ready, any(each["path"] == GONE for each in row.drift))
    if row.type == "validation_record":
        name, value = str(told.get("name", "")), str(told.get("value", ""))
        return Entry("CNAME", name.rstrip("."), value.rstrip("."), PROVES, *seen)
    name, value = told.get("domain_name", ""), told.get("distribution_domain_name", "")
    return Entry("A, AAAA" if is_ours else ELSEWHERE, name, value, LEADS, *seen)


def _waits(domain: Domain, rows: Iterable[Resource]) -> Iterator[str]:
    named = [row for row in rows if domain.name in row.inputs.get("domains", ())]
    for row in (*named, *_records_of(domain, rows)):
        if not row.is_ready and row.waiting_for:
            yield f"Waits for {row.waiting_for}. {row.todo}".strip()


class DomainsMixin(TabsMixin):
    """The page of a site's domains."""

    def domains_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The page; with ``?part``, what the DNS says now, which takes seconds."""
        site = self.site_to_see(request, pk)
        if "part" in request.GET:
            return TemplateResponse(request, "sites/delegation.html", _looked_up(site))
        # Before what it shows: what ends in between is shown by the next refresh.
        running = site.operations.filter(status__in=Operation.ACTIVE).only("kind").first()
        domains, expiring = shown_domains(site)
        digest = _digest(domains, running)
        if request.GET.get("seen") == digest:
            return HttpResponse(status=204)
        return TemplateResponse(
            request,
            "sites/domains.html",
            {
                **self.page_context(request, site, "domains"),
                "domains": domains,
                "running": running,
                "digest": digest,
                "expiring": expiring,
                "may_act": may(request.user, Act.OPERATE, site),
                "form": AddDomainForm(site=site),
                "is_draft": site.state == Site.State.DRAFT,
            },
        )


def _digest(domains: list[ShownDomain], running: Operation | None) -> str:
    """Of what the page shows: while it is the same, a page that is open is left alone."""
    parts = [(each.row.pk, each.state, each.role, each.entries, each.waits_for) for each in domains]
    shown = repr((parts, running and running.pk))
    return hashlib.sha256(shown.encode()).hexdigest()[:16]


def _looked_up(site: Site) -> dict[str, Any]:
    try:
        with for_people():
            found = {(each.said, each.todo): each for each in preflight.dns_findings(site)}
            return {"findings": list(found.values())}
    except (Refused, ProvisioningError) as error:
        return {"problem": f"The DNS could not be looked at. {error}"}
