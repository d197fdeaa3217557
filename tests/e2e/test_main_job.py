"""The main job: one command, and a site in a browser whose visitor counter goes up."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from tests.e2e.conftest import Up
from tests.e2e.entrance import log_in


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page()
    errors: list[str] = []

    def on_console(message: ConsoleMessage) -> None:
        if message.type == "error":
            errors.append(message.text)

    page.on("console", on_console)
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    page.close()
    assert errors == []


def visits_on(page: Page) -> int:
    number = page.locator("[data-visits]").first
    expect(number).to_have_text(re.compile(r"^[\d,.\s]*\d$"))
    return int(re.sub(r"\D", "", number.inner_text()))


def test_the_demo_site_counts_each_reload(up: Up, page: Page):
    page.goto(up.url("demo"))
    expect(page).to_have_title(re.compile("click", re.IGNORECASE))
    before = visits_on(page)
    page.reload()
    after = visits_on(page)

    assert after == before + 1


def test_the_dashboard_shows_deployment_resources_and_visits(up: Up, page: Page):
    page.goto(up.url("demo"))
    visits = visits_on(page)
    up.manage("sync_visits", "demo")

    log_in(up, page)
    page.get_by_role("link", name=re.compile("Sites$")).first.click()
    page.get_by_role("link", name="demo", exact=True).click()

    body = page.locator("body")
    expect(body).to_contain_text("#1")
    expect(body).to_contain_text(str(visits))
    page.get_by_role("link", name="Resources", exact=True).click()
    for resource in up.status("demo")["resources"]:
        expect(body).to_contain_text(resource["physical_id"])


def test_ready_output_names_addresses_and_the_first_password(up: Up):
    output = up.output.read_text()

    assert up.run["dashboard"] in output
    assert up.url("demo") in output
    assert up.run["admin_password"] in output
