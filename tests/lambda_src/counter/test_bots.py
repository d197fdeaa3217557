"""Who is a bot: the list that is shipped, against what crawlers and browsers say of themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lambda_src.counter.bots import names
from tests.lambda_src.counter.containers import container

HIT = container("hit")
HERE = Path(__file__).parent


def agents(file: str) -> list[str]:
    return (HERE / file).read_text().splitlines()[1:]


@pytest.mark.parametrize("agent", agents("crawlers.txt"))
def test_crawlers_are_bots(agent):
    assert HIT.is_bot(agent)


@pytest.mark.parametrize("agent", agents("people.txt"))
def test_people_are_none(agent):
    assert not HIT.is_bot(agent)


@pytest.mark.parametrize(
    "agent",
    [
        "",
        "curl/8.14.1",
        "python-httpx/0.28.1",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 HeadlessChrome/140.0.0.0 Safari/537.36",
        "Mozilla/5.0 (Linux; Android 10; CUBOT X30) AppleWebKit/537.36 Chrome/138.0.0.0 Mobile",
    ],
)
def test_tools_with_which_people_try_it_out_are_none(agent):
    assert not HIT.is_bot(agent)


def test_names_are_made_of_what_no_word_finds():
    crawlers: list[dict] = [
        {"pattern": r"Googlebot\/", "instances": ["Googlebot/2.1"]},
        {"pattern": "[wW]get", "instances": ["Wget/1.2"], "tags": ["http-library"]},
        {"pattern": "Xenu", "instances": ["Xenu Link Sleuth/1.3.8", "Xenu +http://example.com"]},
        {"pattern": "Xenu Link", "instances": ["Xenu Link Sleuth/1.3.8"]},
        {"pattern": r"updown\.io", "instances": ["updown.io daemon 2.11"]},
        {"pattern": "^BW", "instances": ["BW/1.1"]},
        {"pattern": "anthropic-ai"},
        {"pattern": "Viber", "instances": ["Viber"]},
    ]

    assert names(crawlers, ["bot", "://"]) == ["anthropic-ai", "updown.io", "Xenu"]
