"""``make axe``: axe-core over every page, light and dark, at a desktop's and a phone's width."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, Page

from tests.looks.rows import Rows
from tests.looks.stage import visiting
from tests.looks.walker import addresses, is_shown

# What people need and laws name, and axe's own good practice.
RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
}


def violations(page: Page) -> list[str]:
    """In words: the rule, how often, and the first of the elements."""
    found: list[dict[str, Any]] = Axe().run(page, options=RULES).response["violations"]
    return [
        f"{each['id']} ({len(each['nodes'])}): {each['help']}: {each['nodes'][0]['html'][:160]}"
        f" [{each['nodes'][0]['any'][0]['message'][:160] if each['nodes'][0]['any'] else ''}]"
        for each in found
    ]


def visit(page: Page, address: str) -> bool:
    """Whether a person can look at what is there: a whole page, and no file. A page that fails
    fails all."""
    # Asked for beforehand: an empty answer makes the browser open a page of its own.
    answer = page.request.get(address)
    assert answer.status < 500, address
    if urlsplit(answer.url).path != urlsplit(address).path:  # another page, which is looked at
        return False
    is_html = "text/html" in answer.headers.get("content-type", "")
    if answer.status != 200 or not is_html or "content-disposition" in answer.headers:
        return False
    page.goto(address)
    # A part of a page has no title.
    return bool(page.title())


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("is_dark", [False, True], ids=["light", "dark"])
def test_no_page_keeps_anybody_out(
    live_server: Any, browser: Browser, rows: Rows, width: int, is_dark: bool
) -> None:
    found, unknown = addresses(rows)
    told: dict[str, list[str]] = {}
    pages = 0
    for is_known in (True, False):
        looks: dict[str, Any] = {"width": width, "is_dark": is_dark, "is_known": is_known}
        with visiting(browser, live_server.url, rows, **looks) as page:
            for name, path in found.items():
                if is_shown(name, is_known=is_known) and visit(page, live_server.url + path):
                    pages += 1
                    for each in violations(page):
                        told.setdefault(each, []).append(name)
    print(f"{pages} pages; without a row: {', '.join(unknown) or 'none'}")  # noqa: T201
    print(json.dumps(told, indent=2))  # noqa: T201
    assert not told
