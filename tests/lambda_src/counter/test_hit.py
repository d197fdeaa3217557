"""What a request says: the page, where from, with what, who."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.lambda_src.counter.containers import container, request

HIT = container("hit")
NOW = 1_772_366_400.0


@pytest.fixture(autouse=True)
def _site(monkeypatch):
    monkeypatch.setenv("SITE_UID", "3f2504e0-4f89-41d3-9a0c-0305e82c3301")


def read(**given):
    return HIT.read(request(**given), NOW)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"address": "198.51.100.10:1"}, {"address": "198.51.100.10:2"}, True),
        ({"address": "198.51.100.10:1"}, {"address": "198.51.100.11:1"}, False),
        ({"address": "2001:db8::1:46532"}, {"address": "[2001:db8::1]:8"}, True),
        ({"address": "2001:db8::1:46532"}, {"address": "2001:db8::2:46532"}, False),
        ({"agent": "a"}, {"agent": "b"}, False),
        (
            {"address": "", "x_forwarded_for": "203.0.113.9, 198.51.100.10"},
            {"address": "198.51.100.10:1"},
            True,
        ),
        ({"address": ""}, {"address": "127.0.0.1:1"}, True),
    ],
)
def test_a_visitor_is_an_address_and_a_user_agent(one, other, same):
    assert (len({read(**one).client, read(**other).client}) == 1) is same


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"agent": "a"}, {"agent": "b"}, True),
        ({"address": "198.51.100.10:1"}, {"address": "198.51.100.11:1"}, False),
        ({"address": "2001:db8::1:46532"}, {"address": "[2001:db8::ffff:0:0:2]:8"}, True),
        ({"address": "2001:db8::1:46532"}, {"address": "2001:db8:0:1::1:46532"}, False),
        ({"address": "[::ffff:198.51.100.10]:1"}, {"address": "[::ffff:198.51.100.11]:1"}, False),
        ({"address": "what:1"}, {"address": "ever:1"}, False),
    ],
)
def test_of_an_address_counts_what_is_given_to_one_customer(one, other, same):
    assert (len({read(**one).address, read(**other).address}) == 1) is same


def test_who_is_left_out_leaves_no_digest():
    assert read(dnt="1")[1:3] == (None, None)


def test_a_visitor_of_two_sites_is_two(monkeypatch):
    before = read()
    monkeypatch.setenv("SITE_UID", str(uuid.uuid4()))

    assert read().client != before.client
    assert read().address != before.address


@pytest.mark.parametrize(
    ("query", "referer", "path"),
    [
        ("", "", "/"),
        ("p=/about", "https://example.com/other", "/about"),
        ("", "https://example.com/about/?q=1#top", "/about/"),
        ("", "https://example.com", "/"),
        ("", "http://[", "/"),
        ("p=%2Fdocs%2Findex.html", "", "/docs/"),
        ("p=%2Fcaf%25C3%25A9", "", "/café"),
        ("p=/a%00b%0A", "", "/ab"),
        ("p=//evil", "", "/evil"),
        ("p=/" + "x" * 600, "", "/" + "x" * 499),
    ],
)
def test_the_path_of_the_page(query, referer, path):
    assert read(query=query, referer=referer).path == path


@pytest.mark.parametrize(
    ("given", "referrer"),
    [
        ("", ""),
        ("https://news.example.org/item?id=1", "news.example.org"),
        ("https://WWW.Example.ORG:8443/", "example.org"),
        ("https://www.example.com/elsewhere", ""),  # the site itself
        ("android-app://com.google.android.gm/", "com.google.android.gm"),
        ("https://user:secret@example.org/", "example.org"),
        ("http://[", ""),
        ("not an address", ""),
    ],
)
def test_the_referrer_is_a_host(given, referrer):
    hit = read(query=f"r={given.replace('&', '%26')}", referer="https://example.com/page")

    assert hit.referrer == referrer


@pytest.mark.parametrize(
    ("header", "country"), [("NZ", "NZ"), ("XX", ""), ("", ""), ("nz", ""), ("NZL", ""), ("1A", "")]
)
def test_the_country_is_what_cloudfront_says(header, country):
    assert read(cloudfront_viewer_country=header).country == country


IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) Version/18.5 Mobile/15E148"
IPAD = "Mozilla/5.0 (iPad; CPU OS 12_5 like Mac OS X) Version/12.1.2 Mobile/15E148 Safari/604.1"
PHONE = "Mozilla/5.0 (Linux; Android 16; Pixel 9) Chrome/140.0.0.0 Mobile Safari/537.36"
TABLET = "Mozilla/5.0 (Linux; Android 16; SM-X910) Chrome/140.0.0.0 Safari/537.36"
WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/140.0.0.0 Safari/537.36"


@pytest.mark.parametrize(
    ("agent", "is_mobile", "device"),
    [
        (IPHONE, "true", "mobile"),
        (IPHONE, "", "mobile"),
        (PHONE, "true", "mobile"),
        (IPAD, "true", "tablet"),
        (TABLET, "false", "tablet"),
        (WINDOWS, "false", "desktop"),
        ("Opera/9.80 (J2ME/MIDP; Opera Mini/7.0)", "true", "mobile"),
        ("", "", "desktop"),
    ],
)
def test_the_device(agent, is_mobile, device):
    assert read(agent=agent, cloudfront_is_mobile_viewer=is_mobile).device == device


@pytest.mark.parametrize(("given", "deployment"), [("", ""), ("12", "12"), ("007", "7"), ("0", "")])
def test_the_deployment_is_a_number(given, deployment):
    assert read(query=f"d={given}").deployment == deployment


def test_a_hit_without_an_id_gets_one_that_tells_its_time():
    hit = uuid.UUID(read().hit)

    assert hit.version == 7
    assert hit.variant == uuid.RFC_4122
    assert hit.int >> 80 == NOW * 1000
    assert read().hit != read().hit


def test_the_id_of_the_page_is_kept_however_it_is_written():
    hit = read().hit

    for written in (hit, hit.upper(), hit.replace("-", "")):
        assert read(query=f"h={written}").hit == hit


@pytest.mark.parametrize(("age", "reason"), [(86_399, ""), (86_401, "clock"), (-86_401, "clock")])
def test_an_id_is_good_for_a_day(age, reason):
    hit = HIT._identity("", NOW - age)

    assert read(query=f"h={hit}").left_out == reason


@given(query=st.text(max_size=700), referer=st.text(max_size=700), agent=st.text(max_size=100))
def test_any_text_becomes_what_the_database_takes_or_is_refused(query, referer, agent):
    try:
        hit = read(query=query, referer=referer, agent=agent)
    except HIT.BadRequest:
        return
    assert hit.path.startswith("/")
    for text in (hit.path, hit.referrer, hit.country, hit.device, hit.deployment):
        assert len(text) <= 500
        assert text.isprintable()
        text.encode()
