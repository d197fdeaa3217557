"""No request of ours goes where not everybody may go."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.notifications.addresses import AddressRefused, is_allowed, resolve

PRIVATE = [
    "127.0.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",  # EC2's metadata
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "fe80::1",
    "fd00:ec2::254",  # EC2's metadata
    "ff02::1",
    "::ffff:10.0.0.1",
    "2002:a00:1::",  # 6to4 of 10.0.0.1
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::10.0.0.1",  # NAT64 of a network (RFC 8215)
    "fec0::1",  # site-local
    "::10.0.0.1",
]


@pytest.fixture(autouse=True)
def no_network_is_ours(settings):
    settings.CLOUDADMIN_WEBHOOK_NETWORKS = []


def answer(monkeypatch, *addresses: str) -> None:
    """What the DNS says of every name."""
    found = [(0, 0, 0, "", (address, 443)) for address in addresses]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: found)


@pytest.mark.parametrize("address", PRIVATE)
def test_a_private_address_is_refused_by_number_and_by_name(monkeypatch, address):
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(AddressRefused, match="private"):
        resolve(f"https://{host}/hook")
    answer(monkeypatch, "93.184.215.14", address)
    with pytest.raises(AddressRefused, match="private"):
        resolve("https://rebinding.example.com/hook")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hook",
        "http://example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "https:///hook",
        "https://user:secret@example.com/",
        "https://[::1/",
        "https://exa mple.com/",
    ],
)
def test_what_is_no_address_of_a_listener_is_refused_in_a_sentence(monkeypatch, text):
    answer(monkeypatch, "93.184.215.14")
    with pytest.raises(AddressRefused, match=r"\.$"):
        resolve(text)


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "127.1", "0177.0.0.1"])
def test_other_ways_to_write_loopback_lead_there_too(host):
    with pytest.raises(AddressRefused):
        resolve(f"https://{host}/")


def test_the_request_goes_to_the_address_that_was_judged(monkeypatch):
    answer(monkeypatch, "93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c")
    destination = resolve("https://hooks.example.com:8443/a/b?c=d")
    assert str(destination.url) == "https://93.184.215.14:8443/a/b?c=d"
    assert destination.host == "hooks.example.com:8443"
    assert destination.server_name == "hooks.example.com"


def test_a_name_that_is_not_there_may_come(monkeypatch):
    def fail(*args, **kwargs):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(AddressRefused, match="cannot be resolved") as refused:
        resolve("https://soon.example.com/")
    assert refused.value.try_again


def test_a_network_of_ours_is_reached_and_without_encryption(settings):
    settings.CLOUDADMIN_WEBHOOK_NETWORKS = ["10.0.0.0/8"]
    assert resolve("http://10.1.2.3:9000/").host == "10.1.2.3:9000"
    with pytest.raises(AddressRefused, match="private"):
        resolve("http://169.254.169.254/latest/meta-data")
    with pytest.raises(AddressRefused, match="not encrypted"):
        resolve("http://93.184.215.14/")


@given(st.ip_addresses(v=4))
def test_an_address_within_another_is_judged_like_the_address_itself(address: IPv4Address):
    number = int(address)
    wrapped = [
        IPv6Address((0xFFFF << 32) | number),
        IPv6Address(int(IPv6Address("64:ff9b::")) | number),
        IPv6Address((0x2002 << 112) | (number << 80)),
    ]
    for each in wrapped:
        assert is_allowed(address) >= is_allowed(each)


@given(st.ip_addresses())
def test_only_global_addresses_pass(address):
    assert not is_allowed(address) or ip_address(str(address)).is_global
