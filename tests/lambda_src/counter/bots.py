"""Writes bots.txt anew from the list of crawlers that many keep together.

    python -m tests.lambda_src.counter.bots crawler-user-agents.json

with the file of that name from https://github.com/monperrus/crawler-user-agents, which is
MIT-licensed, (c) Martin Monperrus and contributors. Of it are left out what our own words find
already, and the tools by which people try out their own counter.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tests.lambda_src.counter.containers import COUNTER

BOTS = COUNTER / "bots.txt"
MARK = "# Names:\n"
LITERAL = re.compile(r"(?:\\[/.()+!-]|[\w ,:;@&'/!-])+")
TOOLS = {"http-library", "browser-automation"}
# Browsers inside of apps, a build of Android, and words that are part of other words.
PEOPLE = {
    "AP3A.240617.008",
    "Blackboard",
    "Bluesky/",
    "Hello World",
    "Instapaper/",
    "Magellan",
    "MetaIAB Facebook",
    "NetAPI",
    "NextCloud",
    "Tumblr/",
    "Valve/Steam",
    "Viber",
}


def names(crawlers: Iterable[dict[str, Any]], words: Iterable[str]) -> list[str]:
    """Those that no word finds, sorted, none of them a part of another."""
    found = set(_names(crawlers, tuple(words))) - PEOPLE
    shortest = (name for name in found if not any(o in name for o in found - {name}))
    return sorted(shortest, key=str.lower)


def _names(crawlers: Iterable[dict[str, Any]], words: tuple[str, ...]) -> Iterator[str]:
    for crawler in crawlers:
        if not TOOLS.isdisjoint(crawler.get("tags", ())):
            continue
        name = _literal(crawler["pattern"])
        agents = crawler.get("instances") or [name]
        if name and not all(any(word in agent.lower() for word in words) for agent in agents):
            yield name


def _literal(pattern: str) -> str:
    """A pattern as the text that it stands for; empty when it stands for several."""
    return re.sub(r"\\(.)", r"\1", pattern).strip() if LITERAL.fullmatch(pattern) else ""


def main(path: str) -> None:
    own, mark, _ = BOTS.read_text().partition(MARK)
    words = [line for line in own.splitlines() if line and line[0] not in "#!"]
    lines = names(json.loads(Path(path).read_text()), words)
    BOTS.write_text(own + mark + "".join(f"{line}\n" for line in lines))


if __name__ == "__main__":
    main(*sys.argv[1:])
