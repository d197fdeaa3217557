"""The page where a browser opts out, in a real browser, under the strictest headers of a site."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from sites.provisioning.resources.response_headers_policy import CONTENT_SECURITY_POLICY
from tests.e2e.browser import FLAGS, find_browser
from tests.lambda_src.counter.containers import container, request

HANDLER = container()
SITE = "https://site.example"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page()
    page.route(re.compile(".*"), serve)
    page.goto(f"{SITE}/_cloudadmin/me")
    yield page
    page.close()


def serve(route: Route) -> None:
    """What the function answers, with the headers that CloudFront adds."""
    response = HANDLER.handler(request(route.request.url.removeprefix(SITE)), None)
    headers = {**response["headers"], "content-security-policy": CONTENT_SECURITY_POLICY}
    route.fulfill(status=response["statusCode"], headers=headers, body=response["body"])


def test_a_browser_opts_out_and_in_again(page: Page):
    state, button = page.get_by_role("status"), page.get_by_role("button")
    expect(state).to_contain_text("Yes.")

    button.focus()
    page.keyboard.press("Enter")
    expect(state).to_contain_text("No.")
    assert page.evaluate("localStorage['cloudadmin.own']") == "1"
    page.reload()
    expect(state).to_contain_text("No.")

    button.click()
    expect(state).to_contain_text("Yes.")
    assert page.evaluate("localStorage.length") == 0


def test_it_fits_and_keeps_to_the_headers(page: Page):
    noise: list[str] = []
    page.on("console", lambda message: noise.append(message.text))
    page.on("pageerror", lambda error: noise.append(str(error)))
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.reload()
        for width in (320, 1440):
            page.set_viewport_size({"width": width, "height": 700})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert noise == []
