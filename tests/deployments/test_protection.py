"""Passwords at the edge: what the real router lets through, in the real engine."""

from __future__ import annotations

import base64
import json
import re
import time
import unicodedata
from typing import Any
from urllib.parse import quote, unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from deployments.edge import edge_rules
from deployments.edge.edge_index import MAX_VALUE, Index, append, head
from deployments.edge.edge_rules import FORM, RuleSet, RulesRefused, protection
from deployments.rule_files.redirects import parse
from localcloud.function_runtime import FunctionError
from tests.deployments.test_router import answer, request, with_fields

FILES = (
    "index.html",
    "open.txt",
    "secret.html",
    "secret/index.html",
    "secret/file.txt",
    "secret/deep/x.html",
    "Secret/other.txt",
    "secrets.txt",
    "secret.txt",
)
KEY = "k" * 64
SECRET = {"path": "/secret", **edge_rules.hashed("päss:word")}
WHOLE = {"path": "/", **edge_rules.hashed("all")}
WEEK = 7 * 24 * 3600


def store(
    *rows: dict[str, str],
    key: str = KEY,
    rules: str = "",
    flags: str = "",
    files: tuple[str, ...] = FILES,
) -> dict[str, str]:
    change = append(Index(), 12, {path: str(n).rjust(22, "x") for n, path in enumerate(files)})
    locks, redirects = protection(rows, key), edge_rules.rules(parse(rules))
    value = with_fields(head(12, change.index, flags), p=locks.head, q=redirects.head)
    return {**change.puts, **locks.puts, **redirects.puts, "h:example.com": value}


def basic(password: str, user: str = "me") -> dict[str, str]:
    credentials = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"authorization": f"Basic {credentials}"}


def log_in(values: dict[str, str], uri: str, password: str) -> dict[str, Any]:
    return answer(values, request(uri, headers=basic(password) | {"x-cloudadmin-login": "1"}))


def session(values: dict[str, str], uri: str, password: str) -> dict[str, str]:
    cookies = log_in(values, uri, password)["cookies"]
    return {name: cookie["value"] for name, cookie in cookies.items()}


def status(response: dict[str, Any]) -> int:
    return int(response.get("statusCode", 200))


@pytest.mark.parametrize(
    "uri", ["/secret", "/secret/", "/secret.html", "/secret/file.txt", "/secret/none", "/SECRET/x"]
)
def test_a_protected_path_asks_for_the_password(uri):
    values = store(SECRET)
    response = answer(values, request(uri, headers={"accept": "text/html"}))
    assert status(response) == 401
    assert response["headers"]["cache-control"]["value"] == "no-store"
    assert FORM in response["body"]["data"]
    assert status(answer(values, request(uri, headers=basic("wrong")))) == 401
    assert status(answer(values, request(uri, headers=basic("päss:word")))) in (200, 301)
    assert status(answer(values, request("/open.txt"))) == 200
    assert status(answer(values, request("/secrets.txt"))) == 200


def test_browsers_get_a_form_and_programs_a_challenge():
    for headers, scheme in [
        ({"accept": "text/html"}, "Form"),
        ({"accept": "image/avif,*/*", "sec-fetch-mode": "no-cors"}, "Form"),
        ({"accept": "*/*"}, "Basic"),
        ({}, "Basic"),
    ]:
        response = answer(store(SECRET), request("/secret", headers=headers))
        assert response["headers"]["www-authenticate"]["value"].startswith(scheme)


def test_who_knows_the_password_gets_a_session():
    values = store(SECRET)
    response = log_in(values, "/secret/", "päss:word")
    assert status(response) == 204
    assert response["headers"]["cache-control"]["value"] == "no-store"
    (cookie,) = response["cookies"].values()
    assert cookie["attributes"] == f"Path=/; Max-Age={WEEK}; Secure; HttpOnly; SameSite=Lax"
    cookies = session(values, "/secret/", "päss:word")
    assert status(answer(values, request("/secret/file.txt", cookies=cookies))) == 200
    assert status(log_in(values, "/secret/", "wrong")) == 401


def test_a_session_ends_with_its_time_its_password_and_its_key():
    values = store(SECRET)
    (name, value) = next(iter(session(values, "/secret", "päss:word").items()))
    end, _, mac = value.partition(".")
    assert abs(int(end) / 1000 - time.time() - WEEK) < 60
    for forged in (f"{int(end) + 1}.{mac}", f"1.{mac}", f"{end}.", f"{end}.{mac}x", mac, ".", ""):
        asked = request("/secret/file.txt", cookies={name: forged})
        assert status(answer(values, asked)) == 401
    asked = request("/secret/file.txt", cookies={name: value})
    again = {"path": "/secret", **edge_rules.hashed("päss:word")}
    for other in (store(again), store(SECRET, key="other")):
        assert status(answer(other, asked)) == 401
    # As another path's.
    both = store(SECRET, WHOLE)
    assert status(answer(both, request("/open.txt", cookies={name: value}))) == 401


def test_the_longest_path_decides():
    values = store(WHOLE, SECRET)
    assert status(answer(values, request("/open.txt", headers=basic("all")))) == 200
    assert status(answer(values, request("/secret/file.txt", headers=basic("all")))) == 401
    assert status(answer(values, request("/secret/file.txt", headers=basic("päss:word")))) == 200


def test_a_rule_leads_nobody_past_a_password():
    values = store(SECRET, rules="/way/* /secret/:splat 200\n/secret/old /new 301!")
    assert status(answer(values, request("/way/file.txt"))) == 401
    assert status(answer(values, request("/way/file.txt", headers=basic("päss:word")))) == 200
    assert status(answer(values, request("/secret/old"))) == 401


def test_the_page_of_an_application_is_protected_too():
    assert status(answer(store(WHOLE, flags="s"), request("/any"))) == 401


def test_robots_of_a_preview_need_no_password():
    assert status(answer(store(WHOLE, flags="x"), request("/robots.txt"))) == 200


@pytest.mark.parametrize(
    "value", ["", "Basic", "Basic ", "Basic %", "Basic =", "Basic AA==", "Bearer x", "Basic é"]
)
def test_malformed_credentials_are_refused(value):
    asked = request("/secret", headers={"authorization": value})
    assert status(answer(store(SECRET), asked)) == 401


def test_locks_that_cannot_be_read_stop_everybody():
    values = store(SECRET)
    for key in [key for key in values if re.fullmatch(r"p:.*:\d+", key)]:
        del values[key]
    with pytest.raises(FunctionError):
        answer(values, request("/open.txt"))


def test_no_password_and_no_key_is_in_the_store():
    text = json.dumps(store(SECRET, WHOLE))
    assert "word" not in text.replace("assword", "")
    assert KEY not in text
    one, other = edge_rules.hashed("same"), edge_rules.hashed("same")
    assert one["hash"] != other["hash"]
    assert edge_rules.protection([], KEY) == RuleSet()


def test_as_many_paths_as_one_request_can_look_at():
    rows = [{"path": f"/{n}", **edge_rules.hashed("x")} for n in range(40)]
    values = store(*rows)
    assert max(len(value.encode()) for value in values.values()) <= MAX_VALUE
    assert status(answer(values, request("/39/x"))) == 401
    with pytest.raises(RulesRefused, match=r"100 protected paths, of which \d+ fit"):
        store(*rows, *rows, *rows[:20])


@given(
    name=st.text("aeEIuçÅ\u0301\u0308\u0130ßΣ한", min_size=1, max_size=5),
    forms=st.tuples(*[st.sampled_from(["NFC", "NFD"])] * 3),
)
def test_letters_are_the_same_however_they_are_composed(name, forms):
    lock, file, asked = (unicodedata.normalize(form, name) for form in forms)
    values = store({**SECRET, "path": f"/{lock}/"}, files=(f"{file}/x.txt",))
    response = answer(values, request("/" + quote(f"{asked}/x.txt")))
    assert status(response) == 401


TWISTS = [
    lambda path: path,
    str.upper,
    str.title,
    lambda path: path.replace("/", "//"),
    lambda path: path.replace("/", "/./"),
    lambda path: path.replace("/", "/%2e/"),
    lambda path: path.replace("/", "/x/../"),
    lambda path: path.replace("/", "/%2e%2e/"),
    lambda path: path.replace("/", "%2f"),
    lambda path: path.replace("/", "\\"),
    lambda path: path.replace("e", "%65"),
    lambda path: path.replace("s", "%73"),
    lambda path: path.replace("%", "%25"),
    lambda path: path + "/",
    lambda path: path.removesuffix(".html"),
    lambda path: path.removesuffix("index.html"),
    lambda path: path + "%00",
    lambda path: path + ";x=1",
    lambda path: "/" + path,
]


@given(
    file=st.sampled_from([f for f in FILES if re.match(r"secret(/|\.html)", f, re.IGNORECASE)]),
    twists=st.lists(st.sampled_from(TWISTS), max_size=3),
    flags=st.sampled_from(["", "a", "n", "s", "x"]),
)
@example(file="secret/file.txt", twists=[TWISTS[7], TWISTS[12]], flags="")
def test_however_an_address_is_written_nothing_protected_is_served(file, twists, flags):
    uri = "/" + quote(file)
    for twist in twists:
        uri = twist(uri)
    response = answer(store(SECRET, flags=flags), request(uri if uri[0] == "/" else "/" + uri))
    if "uri" in response and response["uri"].startswith("/objects/"):
        served = unquote(response["uri"].split("/", 3)[3]).lower()
        assert not re.match(r"secret(/|\.html$)", served)
