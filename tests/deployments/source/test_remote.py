"""Addresses of repositories, and machines that are not to be asked."""

import socket
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.source import SourceRefused
from deployments.source.remote import is_address, is_public, parse


@pytest.mark.parametrize(
    ("source", "scheme", "host", "port", "ref", "folder"),
    [
        ("https://example.com/a/b.git", "https", "example.com", 443, "", ""),
        ("https://example.com:8443/a#v1", "https", "example.com", 8443, "v1", ""),
        ("https://example.com/a#main:docs/out", "https", "example.com", 443, "main", "docs/out"),
        ("https://example.com/a#:docs", "https", "example.com", 443, "", "docs"),
        ("ssh://git@example.com:22/a.git", "ssh", "example.com", 22, "", ""),
        ("git@example.com:a/b.git#x", "ssh", "example.com", 22, "x", ""),
    ],
)
def test_an_address_is_read(source, scheme, host, port, ref, folder):
    found = parse(source)
    assert (found.scheme, found.host, found.port) == (scheme, host, port)
    assert (found.ref, found.folder) == (ref, folder)
    assert found.url == source.partition("#")[0]
    assert is_address(source)


@pytest.mark.parametrize(
    "source",
    [
        "http://example.com/a",
        "git://example.com/a",
        "file:///etc",
        "file://host/etc",
        "ftp://example.com/a",
        "ext::sh -c id",
        "ext://x",
        "fd::17",
        "-oProxyCommand=id",
        "--upload-pack=id",
        "https://",
        "https://-x/a",
        "https://example.com:99999999/a",
        "https://exa mple.com/a",
        "https://user:secret@example.com/a",
        "https://token@example.com/a",
        "ssh://-oProxyCommand=id/a",
        "ssh://-x@example.com/a",
        "ssh://git:secret@example.com/a",
        "git@-oProxyCommand=id:a",
        "git@example.com:-x",
        "https://example.com/a\nb",
        "https://example.com/site.zip",
        "https://example.com/site.tar.gz",
        "https://example.com/a?x=1",
        "https://gitlab.example.com/a/b/c/-/tree/main/",
        "https://[::1/a",
    ],
)
def test_what_is_no_address_of_a_repository_is_refused(source):
    with pytest.raises(SourceRefused) as caught:
        parse(source)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "path", ["dist", "./a:b", "/srv/site", "C:\\site", "a@b", "site#1.zip", "../x"]
)
def test_files_are_no_addresses(path):
    assert not is_address(path)


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "::1", "0.0.0.0", "::", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1",
     "169.254.169.254", "fd00::1", "fe80::1%eth0", "fd00:ec2::254", "::ffff:127.0.0.1",
     "::ffff:10.0.0.1", "2002:7f00:1::", "224.0.0.1", "ff02::1", "255.255.255.255", "240.0.0.1",
     "64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b:1::1", "64:ff9b:1:ffff::a00:1", "fec0::1",
     "feff::1", "::7f00:1", "::ffff:0:7f00:1", "2002:8c52:7904::1", "2001:0:4136:e378::1"],
)  # fmt: skip
def test_machines_near_by_are_not_asked(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", ["140.82.121.4", "2606:50c0:8000::153", "::ffff:140.82.121.4"])
def test_machines_of_the_internet_are_asked(address):
    assert is_public(address)


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f.1", "localhost", "[::1]", "0"])
def test_other_spellings_of_this_machine_lead_nowhere(host):
    with pytest.raises(SourceRefused, match="not on the public internet"):
        parse(f"https://{host}/a").addresses()


def resolved(*addresses):
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443)) for address in addresses]
    return mock.patch.object(socket, "getaddrinfo", return_value=found, autospec=True)


def test_one_address_near_by_is_enough_to_refuse():
    with (
        resolved("140.82.121.4", "10.0.0.1"),
        pytest.raises(SourceRefused, match=r"example\.com is 10\.0\.0\.1, which is not on"),
    ):
        parse("https://example.com/a").addresses()
    with resolved("140.82.121.4", "140.82.121.4"):
        assert parse("https://example.com/a").addresses() == ["140.82.121.4"]


def test_a_host_that_is_not_there_is_said_unless_a_proxy_asks(monkeypatch):
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    nowhere = parse("https://example.invalid/a")
    with mock.patch.object(socket, "getaddrinfo", side_effect=socket.gaierror, autospec=True):
        with pytest.raises(SourceRefused, match="there is no host"):
            nowhere.addresses()
        monkeypatch.setenv("https_proxy", "http://proxy.example.com:3128")
        assert nowhere.addresses() == []


@given(st.text(max_size=40))
def test_whatever_is_typed_is_an_address_or_refused(text):
    for source in (text, f"https://{text}", f"git@{text}", f"ssh://{text}"):
        try:
            found = parse(source)
        except SourceRefused:
            continue
        assert found.scheme in {"https", "ssh"}
        assert found.host
        assert not found.url.startswith("-")
        assert not found.host.startswith("-")
