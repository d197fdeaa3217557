"""The snippet in Node, with just enough of a page around it."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.lambda_src.counter.containers import COUNTER

PAGE = """
const [snippet, answer, state] = JSON.parse(require("fs").readFileSync(0, "utf8"));
const asked = [], heard = {}, places = [{ textContent: "-" }, { textContent: "-" }];
process.on("unhandledRejection", () => process.exit(9));
globalThis.window = globalThis;
globalThis.location = { pathname: "/a b/?" };
globalThis.document = {
  ...state,
  addEventListener: (name, go) => { heard[name] = go; },
  querySelectorAll: (selector) => (selector === "[data-visits]" ? places : []),
};
globalThis.fetch = async (url, options) => {
  asked.push([url, options.credentials]);
  if (answer === "offline") throw new TypeError("Failed to fetch");
  return { json: async () => JSON.parse(answer) };
};
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


def load(answer: str, **state: object) -> dict:
    """What a page saw: requests made (at first, in all) and the texts of its two places."""
    snippet = (COUNTER / "visits.js").read_text()
    run = subprocess.run(
        ["node", "-e", PAGE],
        input=json.dumps([snippet, answer, {"readyState": "complete", **state}]),
        capture_output=True,
        text=True,
        check=True,
        env={"LC_ALL": "en_US.UTF-8", "PATH": "/usr/local/bin:/usr/bin:/bin"},
    )
    page: dict = json.loads(run.stdout)
    return page


def test_it_asks_once_without_cookies_and_fills_every_place():
    page = load('{"visits": 1234567, "counted": true}')

    assert page["asked"] == [["/_cloudadmin/count?p=%2Fa%20b%2F%3F", "omit"]]
    assert page["shown"] == ["1,234,567"] * 2


def test_zero_is_a_number():
    assert load('{"visits": 0, "counted": false}')["shown"] == ["0", "0"]


@pytest.mark.parametrize("answer", ["offline", "<h1>Not Found</h1>", '{"visits": null}', "null"])
def test_on_failure_the_page_is_left_alone(answer):
    assert load(answer)["shown"] == ["-", "-"]


def test_a_prerendered_page_counts_when_somebody_looks():
    page = load('{"visits": 7}', prerendering=True)

    assert page["early"] == 0
    assert len(page["asked"]) == 1
    assert page["shown"] == ["7", "7"]


def test_an_answer_before_the_page_is_parsed_waits_for_it():
    page = load('{"visits": 7}', readyState="loading")

    assert page["early"] == 1
    assert page["shownEarly"] == "-"
    assert page["shown"] == ["7", "7"]
