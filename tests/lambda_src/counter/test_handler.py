"""The counter over HTTP: what it answers, whom it counts, under which path."""

from __future__ import annotations

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.lambda_src.counter.containers import container, request

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
GOOGLEBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


def answer(response):
    return json.loads(response["body"])


def test_counts_one_pageview_per_request(counter):
    answers = [answer(counter.handler(request(), None)) for _ in range(3)]

    assert answers == [{"visits": n, "counted": True} for n in (1, 2, 3)]


def test_the_answer_is_never_cached(counter):
    response = counter.handler(request(), None)

    assert response["statusCode"] == 200
    assert response["headers"]["cache-control"] == "no-store"
    assert response["headers"]["content-type"].startswith("application/json")


def test_of_a_hundred_requests_of_one_visitor_five_are_counted(counter):
    answers = [answer(counter.handler(request(), None)) for _ in range(100)]

    assert [a["counted"] for a in answers] == [True] * 5 + [False] * 95
    assert {a["visits"] for a in answers[5:]} == {5}


def test_sixteen_containers_lose_no_update(environment, connection):
    """500 visitors at once raise the number by 500, every answer a different number."""
    containers = [container() for _ in range(16)]

    def visit(job: tuple[int, int]) -> list[dict]:
        number, share = job
        return [
            containers[number].handler(request(agent=f"{FIREFOX} {number}.{n}"), None)
            for n in range(share)
        ]

    shares = [500 // 16 + (number < 500 % 16) for number in range(16)]
    with ThreadPoolExecutor(16) as pool:
        responses = [r for batch in pool.map(visit, enumerate(shares)) for r in batch]
    for module in containers:
        module.counter.close()

    assert {r["statusCode"] for r in responses} == {200}
    assert sorted(answer(r)["visits"] for r in responses) == list(range(1, 501))
    row = connection.execute(
        "SELECT pageviews, visits, bots FROM counter.page WHERE site = %s", [environment]
    ).fetchall()
    assert row == [(500, 500, 0)]


def test_sixteen_requests_of_one_visitor_at_once_leave_five(environment):
    containers = [container() for _ in range(16)]
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda module: answer(module.handler(request(), None)), containers))
    for module in containers:
        module.counter.close()

    assert sum(a["counted"] for a in answers) == 5


@pytest.mark.parametrize(
    "uncounted",
    [
        request(dnt="1"),
        request(sec_gpc="1"),
        request(sec_purpose="prefetch;prerender"),
        request(purpose="prefetch"),
        request(sec_fetch_site="cross-site"),
        request(method="HEAD"),
        request("/_cloudadmin/visits.json"),
        request(agent=GOOGLEBOT),
    ],
)
def test_some_get_the_number_without_being_counted(counter, uncounted):
    counter.handler(request(), None)

    response = counter.handler(uncounted, None)

    assert response["statusCode"] == 200
    assert answer(response) == {"visits": 1, "counted": False}


def test_who_declines_leaves_no_trace(counter, environment, connection):
    counter.handler(request(sec_gpc="1"), None)

    for table in ("visitor", "page", "total"):
        query = f"SELECT count(*) FROM counter.{table} WHERE site = %s"
        assert connection.execute(query, [environment]).fetchone() == (0,)


def test_bots_are_counted_apart(counter, environment, connection):
    counter.handler(request(agent=GOOGLEBOT), None)
    counter.handler(request(agent=FIREFOX), None)

    row = connection.execute(
        "SELECT pageviews, visits, bots FROM counter.page WHERE site = %s", [environment]
    ).fetchone()
    assert row == (1, 1, 1)


@pytest.mark.parametrize(
    "agent",
    [
        FIREFOX,
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)"
        " Version/18.5 Safari/605.1.15",
        "Mozilla/5.0 (Linux; Android 10; CUBOT X30) AppleWebKit/537.36 Chrome/138.0.0.0 Mobile",
        "curl/8.14.1",
        "",
    ],
)
def test_people_are_not_taken_for_bots(counter, agent):
    assert answer(counter.handler(request(agent=agent), None))["counted"]


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
def test_a_visitor_is_an_address_and_a_user_agent(counter, one, other, same):
    digests = {counter._client(request(**headers)) for headers in (one, other)}

    assert (len(digests) == 1) is same


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
def test_the_path_of_the_page(counter, query, referer, path):
    assert counter.page_path(request(query=query, referer=referer)) == path


MODULE = container()


@given(st.text(max_size=700), st.text(max_size=700))
def test_any_text_becomes_a_path_that_the_database_takes(query, referer):
    path = MODULE.page_path(request(query=query, referer=referer))

    assert path.startswith("/")
    assert len(path) <= 500
    assert "\0" not in path
    path.encode()


def test_the_snippet(counter):
    response = counter.handler(request("/_cloudadmin/visits.js"), None)

    assert response["headers"]["cache-control"] == "public, max-age=3600"
    assert response["headers"]["content-type"].startswith("text/javascript")
    assert len(response["body"].encode()) < 1024


@pytest.mark.parametrize(
    "event", [request("/"), request("/_cloudadmin/"), request(method="POST"), request(method="PUT")]
)
def test_anything_else_is_not_found(counter, event):
    assert counter.handler(event, None)["statusCode"] == 404


def test_an_unknown_action_names_the_known_ones(counter):
    with pytest.raises(ValueError, match="migrate, version, forget"):
        counter.handler({"action": "drop"}, None)


def test_a_refused_connection_is_a_fast_503(counter, monkeypatch):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("DATABASE_PORT", str(closed.getsockname()[1]))
        started = time.monotonic()
        response = counter.handler(request(), None)

    assert response["statusCode"] == 503
    assert answer(response) == {"visits": None, "counted": False}
    assert time.monotonic() - started < 1


def test_a_silent_database_is_a_503_after_one_timeout(counter, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("DATABASE_PORT", str(silent.getsockname()[1]))
        started = time.monotonic()
        response = counter.handler(request(), None)

    assert response["statusCode"] == 503
    assert time.monotonic() - started < 3
