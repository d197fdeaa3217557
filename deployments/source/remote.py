"""Addresses of git repositories: which are taken, and which machines are asked."""

from __future__ import annotations

import ipaddress
import os
import re
import socket
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import urlsplit

from deployments.source.rules import SourceRefused

SCHEMES = ("https", "ssh")
PROXIES = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
PORTS = {"https": 443, "ssh": 22}
LIKE_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://")
# git@example.com:owner/name.git, as scp has it.
LIKE_SCP = re.compile(r"(?P<user>\w[\w.-]*)@(?P<host>[^:/@\s]+):(?P<path>(?!/?-)[^:].*)")
# What a browser shows of a branch at GitHub, and at a GitLab.
PAGE = re.compile(
    r"(?P<of>https://(?:github\.com/[^/]+/[^/]+|[^/]+/.+(?=/-/)))(?:/-)?/tree/"
    r"(?P<ref>[^/]+)(?:/(?P<folder>.+?))?/?"
)
HOST = re.compile(r"[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?\.?|[0-9a-fA-F:.]+")
USER = re.compile(r"\w[\w.-]*")
# https://datatracker.ietf.org/doc/html/rfc6052#section-2.1
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# All of IPv6 that the internet is made of; Python takes more for global, as the NAT64 of a network
# (64:ff9b:1::/48) and fec0::/10. https://www.iana.org/assignments/ipv6-address-space/
INTERNET = ipaddress.IPv6Network("2000::/3")
CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True)
class Remote:
    """``url`` without its fragment, which is ``ref:folder``. ``host`` is empty for a file."""

    url: str
    scheme: str
    host: str
    port: int
    ref: str
    folder: str

    def addresses(self) -> list[str]:
        """Those of the host, all of them public. Raises SourceRefused.

        Empty where a proxy does the asking, which has rules of its own.
        """
        if not self.host:
            return []
        try:
            found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except OSError:
            if any(os.environ.get(name) for name in PROXIES):
                return []
            raise SourceRefused(f"there is no host {self.host}; check the address.") from None
        addresses = list(dict.fromkeys(str(address[4][0]) for address in found))
        for address in addresses:
            if not is_public(address):
                raise SourceRefused(
                    f"{self.host} is {address}, which is not on the public internet; "
                    "deploy a folder or an archive from there instead."
                )
        return addresses


def is_address(source: str) -> bool:
    """Whether this names something elsewhere and not a file here."""
    return LIKE_URL.match(source) is not None or LIKE_SCP.fullmatch(source) is not None


def parse(source: str, schemes: Collection[str] = SCHEMES) -> Remote:
    """Raises SourceRefused for what is no address of a repository that may be asked."""
    url, _, fragment = source.partition("#")
    ref, _, folder = fragment.partition(":")
    if CONTROL.search(source) or source.startswith("-"):
        raise SourceRefused("the address holds what no address has; check it.")
    if (scp := LIKE_SCP.fullmatch(url)) and not LIKE_URL.match(url):
        _judge_host(scp["host"], url)
        return _allowed(Remote(url, "ssh", scp["host"], PORTS["ssh"], ref, folder), schemes)
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise SourceRefused(f"the address cannot be read ({error}).") from None
    if parts.scheme == "file" and not host:
        return _allowed(Remote(url, "file", "", 0, ref, folder), schemes)
    remote = Remote(url, parts.scheme, host, port or PORTS.get(parts.scheme, 0), ref, folder)
    _allowed(remote, schemes)
    _judge_host(host, url)
    if parts.password is not None or (parts.scheme == "https" and parts.username):
        raise SourceRefused(
            "the address holds a user's name or a password, which the history of deployments would "
            "keep; use ssh with a deploy key, or the API from a CI."
        )
    if parts.username and not USER.fullmatch(parts.username):
        raise SourceRefused("the user's name in the address cannot be one; check it.")
    if page := PAGE.fullmatch(url):
        folder = f":{page['folder']}" if page["folder"] else ""
        raise SourceRefused(
            f"this is a branch's page for browsers; write “{page['of']}#{page['ref']}{folder}”."
        )
    if parts.query or parts.path.lower().endswith((".zip", ".gz", ".tgz", ".zst", ".bz2", ".tar")):
        raise SourceRefused("this is no git repository; download the archive and deploy it.")
    return remote


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the public internet, in whatever way it is written.

    6to4 and Teredo lead to addresses within them, and to nobody who still uses them.
    """
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped or found in NAT64:
            return is_public(str(ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)))
        if found not in INTERNET or found.sixtofour or found.teredo:
            return False
    return found.is_global and not found.is_multicast


def _allowed(remote: Remote, schemes: Collection[str]) -> Remote:
    if remote.scheme not in schemes:
        way = f"“{remote.scheme}://”" if remote.scheme else "An address that does not say how"
        raise SourceRefused(f"{way} is no way to a repository here; use https:// or ssh://.")
    return remote


def _judge_host(host: str, url: str) -> None:
    if not HOST.fullmatch(host):
        raise SourceRefused(f"“{host or url}” cannot be a host; check the address.")
