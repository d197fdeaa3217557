"""The counter over HTTP: what it answers, whom it counts, and what it serves."""

from __future__ import annotations

import json
import socket
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.lambda_src.counter.containers import COUNTER, container, hit_query, request, sums

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
GOOGLEBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


def answer(response):
    return json.loads(response["body"])


def test_counts_one_pageview_per_request(counter):
    answers = [answer(counter.handler(request(), None)) for _ in range(3)]

    assert answers == [{"visits": n, "counted": True, "reason": ""} for n in (1, 2, 3)]


def test_the_answer_is_never_cached(counter):
    response = counter.handler(request(), None)

    assert response["statusCode"] == 200
    assert response["headers"]["cache-control"] == "no-store"
    assert response["headers"]["content-type"].startswith("application/json")


def test_what_the_request_says_is_counted(counter, environment, connection):
    counter.handler(
        request(
            query="p=/a%2520b&r=https://www.Example.org/x&d=12",
            agent="Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) Mobile/15E148",
            cloudfront_viewer_country="NZ",
        ),
        None,
    )

    counted = {key for key in sums(connection, environment) if key[0] != 6}
    assert counted == {
        (1, "/a b"),
        (2, "example.org"),
        (3, "NZ"),
        (4, "mobile"),
        (5, "12"),
        (7, ""),
    }


def test_of_a_hundred_requests_of_one_visitor_five_are_counted(counter):
    answers = [answer(counter.handler(request(), None)) for _ in range(100)]

    assert [a["counted"] for a in answers] == [True] * 5 + [False] * 95
    assert {(a["visits"], a["reason"]) for a in answers[5:]} == {(5, "limit")}


def test_another_user_agent_for_each_request_is_of_one_address(counter):
    """A class or an office has room; who pretends to be one has no more than it."""
    answers = [answer(counter.handler(request(agent=f"{FIREFOX} {n}"), None)) for n in range(100)]

    assert [a["counted"] for a in answers] == [True] * 30 + [False] * 70
    assert {(a["visits"], a["reason"]) for a in answers[30:]} == {(30, "limit")}
    elsewhere = answer(counter.handler(request(address="198.51.100.11:443"), None))
    assert elsewhere["counted"]


def test_sixteen_containers_lose_no_update(environment, connection):
    """500 visitors at once raise the number by 500, every answer a different number."""
    containers = [container() for _ in range(16)]

    def visit(job: tuple[int, int]) -> list[dict]:
        number, share = job
        return [
            containers[number].handler(request(address=f"198.51.{number}.{n}:443"), None)
            for n in range(share)
        ]

    shares = [500 // 16 + (number < 500 % 16) for number in range(16)]
    with ThreadPoolExecutor(16) as pool:
        responses = [r for batch in pool.map(visit, enumerate(shares)) for r in batch]
    for module in containers:
        module.counter.close()

    assert {r["statusCode"] for r in responses} == {200}
    assert sorted(answer(r)["visits"] for r in responses) == list(range(1, 501))
    assert sums(connection, environment)[7, ""] == [500, 500, 500, 0]


def test_sixteen_requests_of_one_visitor_at_once_leave_five(environment):
    containers = [container() for _ in range(16)]
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda module: answer(module.handler(request(), None)), containers))
    for module in containers:
        module.counter.close()

    assert sum(a["counted"] for a in answers) == 5


# --- Who is not counted -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("uncounted", "reason"),
    [
        (request(dnt="1"), "declined"),
        (request(sec_gpc="1"), "declined"),
        (request(sec_purpose="prefetch;prerender"), "prefetch"),
        (request(purpose="prefetch"), "prefetch"),
        (request(sec_fetch_site="cross-site"), "other-site"),
        (request(method="HEAD"), "head"),
        (request(query="o=1"), "own"),
        (request(query=hit_query(age=90_000)), "clock"),
        (request(query=hit_query(age=-90_000)), "clock"),
        (request(agent=GOOGLEBOT), ""),
        (request("/_cloudadmin/visits.json"), ""),
    ],
)
def test_some_get_the_number_without_being_counted(counter, uncounted, reason):
    counter.handler(request(), None)

    response = counter.handler(uncounted, None)

    assert response["statusCode"] == 200
    assert answer(response) == {"visits": 1, "counted": False, "reason": reason}


def test_who_declines_leaves_a_number_alone(counter, environment, connection):
    counter.handler(request(sec_gpc="1"), None)

    assert sums(connection, environment) == {(0, "declined"): [1, 0, 0, 0]}
    for table in ("visitor", "total"):
        query = f"SELECT count(*) FROM counter.{table} WHERE site = %s"
        assert connection.execute(query, [environment]).fetchone() == (0,)


def test_reasons_are_told_every_few_seconds(counter, environment, connection, monkeypatch):
    for _ in range(3):
        counter.handler(request(method="HEAD"), None)  # the first is told, with nothing before it
    for _ in range(7):
        counter.handler(request(), None)
    assert sums(connection, environment)[0, "head"] == [1, 0, 0, 0]

    counter.left_out._told_at -= 5
    counter.handler(request(), None)

    noted = {value: row[0] for (k, value), row in sums(connection, environment).items() if k == 0}
    assert noted == {"head": 3, "limit": 3}


def test_bots_are_counted_apart(counter, environment, connection):
    counter.handler(request(agent=GOOGLEBOT), None)
    counter.handler(request(agent=FIREFOX), None)

    counted = sums(connection, environment)
    assert counted[7, ""] == counted[1, "/"] == [1, 1, 1, 1]
    assert counted[4, "desktop"] == [1, 1, 1, 0]


def test_a_hit_that_is_sent_again_is_counted_once(counter):
    query = hit_query()

    answers = [answer(counter.handler(request(query=query), None)) for _ in range(2)]

    assert answers[0] == {"visits": 1, "counted": True, "reason": ""}
    assert answers[1] == {"visits": 1, "counted": False, "reason": "again"}


# --- What cannot be read ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("p=/%FF", "not UTF-8"),
        ("p=/%25FF", "not UTF-8"),
        ("h=1", "h is not a UUID"),
        (f"h={uuid.UUID(int=5)}", "h is not a UUID of version 7"),
        ("d=1;DROP", "d is not the number of a release"),
        ("p=/" + "x" * 2048, "p has more than 2,048 bytes"),
        ("r=https://" + "x" * 2048, "r has more than 2,048 bytes"),
        ("&".join(f"{n}=1" for n in range(40)), "more than 32 fields"),
    ],
)
def test_what_the_snippet_never_sends_is_refused_in_words(counter, environment, query, words):
    response = counter.handler(request(query=query), None)

    assert response["statusCode"] == 400
    assert words in answer(response)["error"]
    assert answer(counter.handler(request("/_cloudadmin/visits.json"), None))["visits"] == 0


INJECTIONS = [
    "'; DROP TABLE counter.total; --",
    '{"$ne": null}',
    "${jndi:ldap://127.0.0.1/a}",
    "%(name)s :site $1 %s {0}",
    "<script>alert(1)</script>",
    "=cmd|'/c calc'!A1",
    "\\",
    "x\r\nset-cookie: a=b",
    "../../etc/passwd",
    "\N{RIGHT-TO-LEFT OVERRIDE}gpj",
    '"{},NULL,"',
]


@pytest.mark.parametrize("text", INJECTIONS)
def test_what_somebody_injects_is_text(counter, environment, connection, text):
    encoded = "".join(f"%{byte:02X}" for byte in text.encode())
    plain = text.replace("\r\n", " ")
    response = counter.handler(
        request(
            query=f"p=/{encoded}&r=https://{encoded}/",
            agent=plain.replace("://", ""),  # which is a crawler's
            referer=plain,
            cloudfront_viewer_country=plain,
            cloudfront_viewer_address=plain,
            cloudfront_is_mobile_viewer=plain,
        ),
        None,
    )

    assert response["statusCode"] == 200
    assert answer(response)["counted"]
    (path,) = (value for kind, value in sums(connection, environment) if kind == 1)
    shown = "".join(filter(str.isprintable, text))
    assert path in ("/" + shown, "/" + shown.partition("?")[0].partition("#")[0])
    assert sums(connection, environment)[3, ""] == [1, 1, 1, 0]


@pytest.mark.parametrize("field", ["h", "d"])
@pytest.mark.parametrize("text", INJECTIONS)
def test_or_it_is_refused(counter, field, text):
    encoded = "".join(f"%{byte:02X}" for byte in text.encode())

    assert counter.handler(request(query=f"{field}={encoded}"), None)["statusCode"] == 400


# --- When the database is away ----------------------------------------------------------------


def test_a_refused_connection_is_a_fast_503(counter, monkeypatch):
    monkeypatch.setitem(counter.actions.connect.__globals__, "CONNECT_SECONDS", 60.0)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("DATABASE_PORT", str(closed.getsockname()[1]))
        started = time.monotonic()
        response = counter.handler(request(), None)

    assert response["statusCode"] == 503
    assert answer(response) == {"visits": None, "counted": False}
    assert time.monotonic() - started < 30  # and not after the timeout


def test_a_silent_database_is_a_503_after_one_timeout(counter, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("DATABASE_PORT", str(silent.getsockname()[1]))
        response = counter.handler(request(), None)
        silent.setblocking(False)
        silent.accept()[0].close()
        with pytest.raises(BlockingIOError):
            silent.accept()

    assert response["statusCode"] == 503


def test_the_badge_has_a_dash_then(counter, monkeypatch):
    monkeypatch.setenv("DATABASE_PORT", "1")
    response = counter.handler(request("/_cloudadmin/visits.svg"), None)

    assert response["statusCode"] == 503
    assert response["headers"]["cache-control"] == "no-store"
    assert "visits: \N{EN DASH}" in response["body"]


# --- What it serves ---------------------------------------------------------------------------


def test_the_number_and_the_badge_are_kept_at_the_edge_for_seconds(counter):
    counter.handler(request(), None)
    number = counter.handler(request("/_cloudadmin/visits.json"), None)
    picture = counter.handler(request("/_cloudadmin/visits.svg", query="label=seen"), None)

    assert {r["headers"]["cache-control"] for r in (number, picture)} == {"public, max-age=10"}
    assert answer(number)["visits"] == 1
    assert picture["headers"]["content-type"].startswith("image/svg+xml")
    assert "seen: 1" in picture["body"]


def test_whatever_the_label_the_database_is_asked_every_other_second(
    counter, environment, connection, monkeypatch
):
    counter.handler(request(), None)
    connection.execute("UPDATE counter.total SET pageviews = 7 WHERE site = %s", [environment])

    def numbers():
        number = counter.handler(request("/_cloudadmin/visits.json"), None)
        badge = counter.handler(
            request("/_cloudadmin/visits.svg", query=f"label={uuid.uuid4()}"), None
        )
        return answer(number)["visits"], badge["body"].partition("</title>")[0][-1]

    assert numbers() == (1, "1")
    counter.shown = counter.shown[0], counter.shown[1] - counter.SHOWN_SECONDS
    assert numbers() == (7, "7")


@pytest.mark.parametrize(
    ("name", "file", "content_type"),
    [
        ("visits.js", "visits.js", "text/javascript"),
        ("me", "me.html", "text/html"),
        ("me.js", "me.js", "text/javascript"),
        ("me.css", "me.css", "text/css"),
    ],
)
def test_files(counter, name, file, content_type):
    response = counter.handler(request(f"/_cloudadmin/{name}"), None)

    assert response["body"] == (COUNTER / file).read_text()
    assert response["headers"]["cache-control"] == "public, max-age=3600"
    assert response["headers"]["content-type"].startswith(content_type)


def test_the_snippet_is_small():
    assert (COUNTER / "visits.js").stat().st_size < 1024


@pytest.mark.parametrize(
    "event",
    [
        *map(request, ("/", "/me", "/visits.js", "/_cloudadmin/", "/_cloudadmin/handler.py")),
        request("/_cloudadmin/../me"),
        request(method="POST"),
        request(method="PUT"),
    ],
)
def test_anything_else_is_not_found(counter, event):
    assert counter.handler(event, None)["statusCode"] == 404


MODULE = container()
TEXT = st.text(max_size=60)


@given(path=TEXT, query=TEXT, method=TEXT, headers=st.dictionaries(TEXT, TEXT, max_size=3))
def test_whatever_is_asked_for_has_an_answer(path, query, method, headers):
    """Without a database: a 503, a 400 or a 404, never an error of ours."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SITE_UID", str(uuid.uuid4()))
        patch.setenv("DATABASE_HOST", "127.0.0.1")
        patch.setenv("DATABASE_PORT", "1")
        for place in (path, "/_cloudadmin/count", "/_cloudadmin/visits.svg"):
            event = request(place, query=query, **headers)
            assert MODULE.handler(event, None)["statusCode"] in (200, 400, 404, 503)
            event["requestContext"]["http"]["method"] = method
            assert MODULE.handler(event, None)["statusCode"] == 404
