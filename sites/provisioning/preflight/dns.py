"""The DNS as the world sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import dns.exception
import dns.message
import dns.resolver
from dns.nameserver import Nameserver
from dns.rdatatype import CNAME

from cloudadmin import tls

SECONDS = 3.0
TYPE = "application/dns-message"


class DnsSilent(Exception):
    """The DNS cannot be reached, or does not answer in time."""


class DnsBroken(Exception):
    """The DNS answers that the name servers of a name do not: SERVFAIL."""


class Caa(NamedTuple):
    """https://www.rfc-editor.org/rfc/rfc8659#section-4.1"""

    flags: int
    tag: str
    value: str


@dataclass(frozen=True)
class Answer:
    """``rdatas`` are of the type that was asked for; ``chain`` are the CNAMEs that led there."""

    rdatas: Sequence[Any] = ()
    chain: tuple[str, ...] = ()


class Dns:
    """Asks the system's resolver, or the one at ``url`` (DNS over HTTP, RFC 8484).

    Each question has 3 seconds. Once there was no answer, no other question is sent.
    """

    def __init__(self, url: str = "", seconds: float = SECONDS) -> None:
        self.url = url
        self.seconds = seconds
        self.is_silent = False

    def name_servers(self, name: str) -> frozenset[str]:
        """As a resolver finds them, from the parent zone down; empty when nobody delegates it."""
        return frozenset(_text(rdata.target) for rdata in self.ask(name, "NS").rdatas)

    def caa(self, name: str) -> tuple[Caa, ...]:
        return tuple(
            Caa(rdata.flags, rdata.tag.decode("ascii", "replace"), rdata.value.decode("latin-1"))
            for rdata in self.ask(name, "CAA").rdatas
        )

    def leads_to(self, name: str, target: str) -> bool:
        """Whether visitors of a name come to the target: by CNAME, or by the same addresses."""
        found, wanted = self.ask(name, "A"), self.ask(target, "A")
        addresses = {rdata.address for rdata in wanted.rdatas}
        return target in found.chain or any(each.address in addresses for each in found.rdatas)

    def chain(self, name: str) -> tuple[str, ...]:
        """The names that a CNAME, and the CNAMEs behind it, lead to."""
        return self.ask(name, "A").chain

    def cname(self, name: str) -> str:
        """Empty when it has none."""
        return next((_text(rdata.target) for rdata in self.ask(name, "CNAME").rdatas), "")

    def ask(self, name: str, kind: str) -> Answer:
        """No records and no such name are both an empty answer. Raises DnsSilent, DnsBroken."""
        if self.is_silent:
            raise DnsSilent
        try:
            found = self._resolver.resolve(f"{name}.", kind, raise_on_no_answer=False)
        except dns.resolver.NXDOMAIN as error:
            return Answer(chain=_chain(*error.kwargs["responses"].values()))
        except dns.resolver.NoNameservers as error:
            if any(response is not None for *_, response in error.kwargs.get("errors", [])):
                raise DnsBroken(name) from error
            self.is_silent = True
            raise DnsSilent from error
        except (dns.exception.DNSException, OSError) as error:
            self.is_silent = True
            raise DnsSilent from error
        return Answer([*(found.rrset or ())], _chain(found.response))

    @cached_property
    def _resolver(self) -> dns.resolver.Resolver:
        resolver = dns.resolver.Resolver(configure=not self.url)
        if self.url:
            resolver.nameservers = [OverHttp(self.url)]
        resolver.timeout = resolver.lifetime = self.seconds
        return resolver


class OverHttp(Nameserver):
    """dnspython's own way to ask over HTTPS wants HTTP/2, which no loopback address needs."""

    def __init__(self, url: str) -> None:
        self.url = url

    def __str__(self) -> str:
        return self.url

    def kind(self) -> str:
        return "DoH"

    def is_always_max_size(self) -> bool:
        return True

    def answer_nameserver(self) -> str:
        return self.url

    def answer_port(self) -> int:
        return urlsplit(self.url).port or 443

    def query(
        self, request: dns.message.QueryMessage, timeout: float, *_: Any, **__: Any
    ) -> dns.message.Message:
        import httpx  # takes as long to import as all of Django

        try:
            answered = httpx.post(
                self.url,
                content=request.to_wire(),
                headers={"Content-Type": TYPE},
                timeout=timeout,
                verify=tls.authorities(),
            ).raise_for_status()
        except httpx.HTTPError as error:
            raise OSError(str(error)) from error
        answer = dns.message.from_wire(answered.content)
        if not request.is_response(answer):
            raise OSError(f"{self.url} answered another question")
        return answer


def _chain(response: Any) -> tuple[str, ...]:
    return tuple(_text(rrset[0].target) for rrset in response.answer if rrset.rdtype == CNAME)


def _text(name: Any) -> str:
    return str(name).rstrip(".").lower()
