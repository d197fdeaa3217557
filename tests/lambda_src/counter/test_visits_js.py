"""The snippet in Node, with just enough of a page around it."""

from __future__ import annotations

import json
import subprocess
import time
import uuid
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.lambda_src.counter.containers import COUNTER, container, request

PAGE = """
const [snippet, answers, given] = JSON.parse(require("fs").readFileSync(0, "utf8"));
const asked = [], heard = {}, places = [{ textContent: "-" }, { textContent: "-" }];
process.on("unhandledRejection", () => process.exit(9));
const define = (name, value) =>
  Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
define("self", globalThis);
define("location", { pathname: "/a b/?" });
define("localStorage", given.locked
  ? new Proxy({}, { get() { throw new Error("SecurityError"); } })
  : given.own ? { "cloudadmin.own": "1" } : {});
if (given.insecure) define("crypto", {});
define("performance", {
  getEntriesByType: () => given.timing ? [{ serverTiming: given.timing }] : [],
});
define("document", {
  readyState: "complete",
  referrer: "",
  ...given.document,
  addEventListener: (name, go) => { heard[name] = go; },
  querySelectorAll: (selector) => (selector === "[data-visits]" ? places : []),
});
define("fetch", async (url, options) => {
  const answer = answers[Math.min(asked.length, answers.length - 1)];
  asked.push([url, options.credentials, Boolean(options.keepalive)]);
  if (answer === "offline") throw new TypeError("Failed to fetch");
  return { json: async () => JSON.parse(answer) };
});
const run = () => (0, eval)(snippet);
const settle = () => new Promise((done) => setImmediate(done));
(async () => {
  run(); run();
  await settle();
  const early = asked.length, shownEarly = places[0].textContent;
  for (const name of Object.keys(heard)) heard[name]();
  await settle();
  for (const name of Object.keys(heard)) heard[name]();
  await settle();
  console.log(JSON.stringify({
    asked, early, shownEarly, shown: places.map((place) => place.textContent),
  }));
})();
"""
NUMBER = '{"visits": 7, "counted": true, "reason": ""}'


def load(*answers: str, **given: object) -> dict:
    """What a page saw: requests made (at first, in all) and the texts of its two places."""
    snippet = (COUNTER / "visits.js").read_text()
    run = subprocess.run(
        ["node", "-e", PAGE],
        input=json.dumps([snippet, answers, given]),
        capture_output=True,
        text=True,
        check=True,
        env={"LC_ALL": "en_US.UTF-8", "PATH": "/usr/local/bin:/usr/bin:/bin"},
    )
    page: dict = json.loads(run.stdout)
    return page


def query(page: dict) -> dict[str, str]:
    return {
        name: values[0] for name, values in parse_qs(urlsplit(page["asked"][0][0]).query).items()
    }


def test_it_asks_once_without_cookies_and_fills_every_place():
    page = load('{"visits": 1234567, "counted": true, "reason": ""}')

    [(url, credentials, keepalive)] = page["asked"]
    assert urlsplit(url).path == "/_cloudadmin/count"
    assert credentials == "omit"
    assert keepalive, "who leaves at once is counted too"
    assert page["shown"] == ["1,234,567"] * 2


def test_what_it_sends_is_what_the_function_reads(monkeypatch):
    monkeypatch.setenv("SITE_UID", "3f2504e0-4f89-41d3-9a0c-0305e82c3301")
    page = load(
        NUMBER,
        document={"referrer": "https://news.example.org/item?id=1"},
        timing=[{"name": "cdn-cache-hit", "description": ""}, {"name": "d", "description": "12"}],
    )

    hit = container("hit").read(request(query=urlsplit(page["asked"][0][0]).query), time.time())
    assert (hit.path, hit.referrer, hit.deployment) == ("/a b/", "news.example.org", "12")
    assert hit.left_out == ""
    assert uuid.UUID(hit.hit) == uuid.UUID(query(page)["h"])


def test_every_page_has_an_id_of_its_own():
    assert query(load(NUMBER))["h"] != query(load(NUMBER))["h"]


def test_without_a_secure_context_the_function_makes_the_id():
    page = load(NUMBER, insecure=True)

    assert "h" not in query(page)
    assert page["shown"] == ["7", "7"]


def test_when_the_network_fails_it_asks_once_more_for_the_same():
    page = load("offline", NUMBER)

    assert len(page["asked"]) == 2
    assert page["asked"][0] == page["asked"][1]
    assert page["shown"] == ["7", "7"]


def test_a_browser_that_opted_out_says_so():
    assert query(load(NUMBER, own=True))["o"] == "1"
    assert "o" not in query(load(NUMBER))


def test_a_browser_that_keeps_nothing_is_counted():
    page = load(NUMBER, locked=True)

    assert page["shown"] == ["7", "7"]


def test_zero_is_a_number():
    assert load('{"visits": 0, "counted": false}')["shown"] == ["0", "0"]


@pytest.mark.parametrize(
    "answer", ["offline", "<h1>Not Found</h1>", '{"visits": null}', "null", '{"error": "no"}']
)
def test_on_failure_the_page_is_left_alone(answer):
    assert load(answer)["shown"] == ["-", "-"]


def test_a_prerendered_page_counts_when_somebody_looks():
    page = load(NUMBER, document={"prerendering": True})

    assert page["early"] == 0
    assert len(page["asked"]) == 1
    assert page["shown"] == ["7", "7"]


def test_an_answer_before_the_page_is_parsed_waits_for_it():
    page = load(NUMBER, document={"readyState": "loading"})

    assert page["early"] == 1
    assert page["shownEarly"] == "-"
    assert page["shown"] == ["7", "7"]
