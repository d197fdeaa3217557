"""The statistics in a browser: a line that can be switched by keyboard, and fits on a phone."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import Up
from tests.e2e.entrance import log_in

LONG_PATH = "/" + "a-very-long-path-without-any-end-" * 14
SEEDS = """
    WITH site AS (
        SELECT id FROM sites_site WHERE name = 'watched'
    ), days AS (
        SELECT (now() AT TIME ZONE 'UTC')::date - n AS day, n FROM generate_series(0, 59) n
    )
    INSERT INTO sites_visitday
        (site_id, kind, day, value, pageviews, visits, visitors, bots)
    SELECT site.id, k.kind, days.day, k.value, 3 * (n + 1), 2 * (n + 1), n + 1, 1
    FROM site, days, (VALUES
        (7, ''), (1, '/'), (1, %(path)s), (2, ''), (2, 'news.example'), (3, 'DE'), (3, ''),
        (4, 'mobile'), (5, '1'), (0, 'limit')) k (kind, value)
    ON CONFLICT DO NOTHING
"""
PAINTED = """
    (canvas) => canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height)
        .data.some((part) => part > 0)
"""


@pytest.fixture(scope="module")
def watched(up: Up) -> str:
    """The address of the page of a site that was visited for two months."""
    up.manage("create_site", "watched")
    with psycopg.connect(up.run["database_url"]) as connection:
        connection.execute(SEEDS, {"path": LONG_PATH})
    ((pk,),) = up.query("SELECT id FROM sites_site WHERE name = 'watched'")
    return f"{up.run['dashboard']}sites/site/{pk}/visitors/"


@pytest.fixture
def phone(browser: Browser) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 390, "height": 844}, color_scheme="dark")
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    page.close()
    assert errors == []


def shows_a_line(page: Page) -> None:
    assert page.locator("[data-line] canvas").first.evaluate(PAINTED)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390, page.url


def test_the_line_is_drawn_and_switched_by_keyboard(up: Up, watched: str, phone: Page):
    log_in(up, phone)
    phone.goto(watched)
    shows_a_line(phone)
    expect(phone.get_by_text("Germany")).to_be_visible()
    label = "Chart.getChart(document.querySelector('[data-line] canvas')).data.datasets[0].label"
    assert phone.evaluate(label) == "Visits"
    phone.get_by_role("radio", name="Visits").focus()
    phone.keyboard.press("ArrowRight")
    assert phone.evaluate(label) == "Visitors"


def test_every_page_of_visitors_fits_on_a_phone(up: Up, watched: str, phone: Page):
    log_in(up, phone)
    home = "../../../../"
    for address in ("?range=7d", "?range=12m", "pages/", "left-out/", "../../visitors/", home):
        phone.goto(watched + address)
        expect(phone.locator(".coming")).to_have_count(0)
        assert phone.evaluate("document.documentElement.scrollWidth") <= 390, phone.url


def test_a_public_page_needs_no_login(up: Up, watched: str, browser: Browser, phone: Page):
    log_in(up, phone)
    phone.goto(watched)
    phone.get_by_role("link", name="Make a public page").click()
    phone.get_by_role("button", name="Make a public page").click()
    link = phone.get_by_role("link", name="/visitors/")
    address = str(link.get_attribute("href"))
    stranger = browser.new_page(viewport={"width": 390, "height": 844})
    stranger.goto(address)
    expect(stranger.get_by_role("heading", name="Visitors of watched")).to_be_visible()
    shows_a_line(stranger)
    phone.get_by_role("link", name="Withdraw it").click()
    phone.get_by_role("button", name="Withdraw the public page").click()
    response = stranger.goto(f"{address}?range=7d")
    assert response
    assert response.status == 404
    stranger.close()
