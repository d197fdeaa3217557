"""Addresses that people name are reached only where everybody may go.

A name is resolved once, every address of it is judged, and the request goes to the one that was
judged: a second answer of the DNS changes nothing (DNS rebinding).
"""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import httpx
from django.conf import settings

from deployments.source.remote import is_public
from sites.errors import Refused

HOST = re.compile(r"[A-Za-z0-9._:-]+")


class AddressRefused(Refused):
    """The URL is not one that may be called."""


@dataclass(frozen=True)
class Destination:
    """``url`` names the judged address; ``host`` is what the receiver is called."""

    url: httpx.URL
    host: str
    server_name: str


def check(text: str) -> httpx.URL:
    """What can be said of a URL without asking the DNS. Raises AddressRefused."""
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as error:
        raise AddressRefused(f"“{text}” is not a URL: {error}.") from error
    if url.scheme not in _schemes() or not HOST.fullmatch(_host(url)):
        raise AddressRefused(f"“{text}” is not called; give an address such as https://host/path.")
    if url.userinfo:
        raise AddressRefused(
            "A URL with a password in it is not called; the signature proves who we are."
        )
    return url


def resolve(text: str) -> Destination:
    """Where a URL leads. Raises AddressRefused for what is not everybody's."""
    url = check(text)
    port = url.port or {"https": 443, "http": 80}[url.scheme]
    try:
        found = socket.getaddrinfo(_host(url), port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise AddressRefused(
            f"The host name {url.host} cannot be resolved.", try_again=True
        ) from error
    addresses = [ip_address(str(address[0]).partition("%")[0]) for *_, address in found]
    for address in addresses:
        if not is_allowed(address):
            raise AddressRefused(
                f"{url.host} is {address}, a private address; only public ones are called."
            )
        if url.scheme == "http" and not is_ours(address):
            raise AddressRefused(f"{text} is not encrypted; only https goes to public addresses.")
    return Destination(url.copy_with(host=str(addresses[0])), url.netloc.decode(), _host(url))


def is_allowed(address: IPv4Address | IPv6Address) -> bool:
    """Whether it is everybody's, or of a network that the settings name."""
    return is_ours(address) or is_public(str(address))


def is_ours(address: IPv4Address | IPv6Address) -> bool:
    networks = [ip_network(text) for text in settings.CLOUDADMIN_WEBHOOK_NETWORKS]
    return any(address in network for network in networks)


def _host(url: httpx.URL) -> str:
    """As the DNS knows it, in ASCII."""
    return url.raw_host.decode()


def _schemes() -> set[str]:
    return {"https", "http"} if settings.CLOUDADMIN_WEBHOOK_NETWORKS else {"https"}
