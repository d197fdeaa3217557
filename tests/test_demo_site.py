"""The demo site: small, self-contained, and readable whatever the counter does."""

from __future__ import annotations

import functools
import hashlib
import http.server
import re
import threading
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from tests.e2e.browser import FLAGS, find_browser

DEMO = Path(__file__).resolve().parent.parent / "cloudadmin" / "demo"
PAGES = sorted(DEMO.rglob("*.html"))
ASSETS = sorted((DEMO / "assets").iterdir())
COUNTER = Path(__file__).resolve().parent.parent / "lambda_src" / "counter" / "visits.js"
# What a strict site sends: nothing inline, nothing from elsewhere.
POLICY = "default-src 'self'; object-src 'none'; base-uri 'none'"


class Links(HTMLParser):
    """Collects every address and every id of a page."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.ids: set[str] = set()
        self.inline: list[str] = []
        self.feed(page.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.addresses += [value for name in ("href", "src") if (value := given.get(name))]
        if name := given.get("id"):
            self.ids.add(name)
        self.inline += [name for name in given if name == "style" or name.startswith("on")]


def file_of(address: str) -> Path:
    path = DEMO / address.split("#")[0].lstrip("/")
    return path / "index.html" if path.is_dir() else path


@pytest.mark.parametrize("asset", ASSETS, ids=lambda asset: asset.name)
def test_name_of_an_asset_is_the_fingerprint_of_its_content(asset: Path):
    stem, _, suffix = asset.name.split(".")
    fingerprint = hashlib.sha256(asset.read_bytes()).hexdigest()[:8]
    assert asset.name == f"{stem}.{fingerprint}.{suffix}", "rename it, and its links in the pages"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DEMO)))
def test_links_lead_to_something_of_ours(page: Path):
    links = Links(page)
    assert not links.inline
    for address in links.addresses:
        if address.startswith("/_cloudadmin/"):
            continue
        assert address.startswith(("/", "#")), f"{address} is not on this site"
        target = page if address.startswith("#") else file_of(address)
        assert target.is_file(), address
        if "#" in address:
            assert address.split("#")[1] in Links(target).ids, address


def test_every_asset_is_used():
    used = {address for page in PAGES for address in Links(page).addresses}
    assert {f"/assets/{asset.name}" for asset in ASSETS} <= used


def test_site_weighs_less_than_60_kilobytes():
    assert sum(file.stat().st_size for file in DEMO.rglob("*") if file.is_file()) < 60_000


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2) of ``#rrggbb`` or ``#rgb``."""
    digits = colour.lstrip("#")
    digits = digits if len(digits) == 6 else "".join(2 * digit for digit in digits)
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("ink", ["ink", "soft", "click"])
@pytest.mark.parametrize("ground", ["paper", "raised"])
def test_text_can_be_read(scheme: int, ink: str, ground: str):
    style = next((DEMO / "assets").glob("style.*.css")).read_text()
    root = re.findall(r":root \{(.*?)\}", style, re.DOTALL)[scheme]
    colours = dict(re.findall(r"--(\w+): (#[0-9a-f]+);", root))
    bright, dark = sorted((luminance(colours[ink]), luminance(colours[ground])), reverse=True)
    assert (bright + 0.05) / (dark + 0.05) >= 4.5


# --- in a real browser ----------------------------------------------------------------------------


class Edge(http.server.SimpleHTTPRequestHandler):
    """Serves the folder with the headers that CloudFront adds."""

    def end_headers(self) -> None:
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("X-Cache", "Hit from cloudfront")
        self.send_header("X-Amz-Cf-Pop", "FRA56-P4")
        self.send_header("Age", "7300")
        super().end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        """Quiet."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    handler = functools.partial(Edge, directory=str(DEMO))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page()
    yield page
    page.close()


def answer_counter(page: Page, visits: int) -> None:
    """The real snippet, and the number that its function would answer."""

    def snippet(route: Route) -> None:
        route.fulfill(path=COUNTER, content_type="text/javascript")

    page.route("**/_cloudadmin/visits.js", snippet)
    page.route("**/_cloudadmin/count*", lambda route: route.fulfill(json={"visits": visits}))


def test_the_number_arrives(page: Page, address: str):
    answer_counter(page, 1204)
    page.goto(address)
    expect(page.locator(".count")).to_have_text("You are visitor 1,204")


def test_the_sentence_reads_well_when_the_number_never_arrives(page: Page, address: str):
    page.route("**/_cloudadmin/*", lambda route: route.abort())
    page.goto(address)
    expect(page.locator(".count")).to_have_text(re.compile(r"^You are\s+visitor\s+here\.$"))
    expect(page.locator(".counted-only")).to_be_hidden()


def test_the_page_reads_its_own_headers(page: Page, address: str):
    answer_counter(page, 1)
    page.goto(address)
    cache = page.locator("[data-header=x-cache]")
    expect(cache.locator(".value")).to_have_text("Hit from cloudfront")
    expect(cache.locator(".means")).to_contain_text("at the edge already")
    expect(page.locator("[data-header=age] .means")).to_contain_text("2 hours")
    expect(page.locator("[data-header=x-amz-cf-pop] .means")).to_contain_text("FRA")
    expect(page.locator("[data-took]")).to_contain_text("millisecond")


def test_the_drawing_follows_the_steps(page: Page, address: str):
    answer_counter(page, 1)
    page.goto(address)
    page.get_by_text("Why the bucket is locked").click()
    expect(page.locator("[data-step='4'] details p")).to_be_visible()
    expect(page.locator(".map .lit")).to_have_attribute("data-leg", "4")


def test_turning_the_head_changes_only_what_the_release_changed(page: Page, address: str):
    answer_counter(page, 1)
    page.goto(address)
    page.get_by_role("radio", name="release 8").focus()
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("radio", name="release 7")).to_be_checked()
    expect(page.locator(".only-7")).to_have_css("opacity", "1")
    expect(page.locator(".only-8")).to_have_css("opacity", "0")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/", "/about/", "/404.html"])
def test_pages_fit_and_stay_quiet(
    browser: Browser, address: str, path: str, scheme: Literal["light", "dark"]
):
    page = browser.new_page(color_scheme=scheme)
    noise: list[str] = []
    page.on("console", lambda message: noise.append(message.text))
    page.on("pageerror", lambda error: noise.append(str(error)))

    def refuse(route: Route) -> None:
        noise.append(route.request.url)
        route.abort()

    page.route(re.compile(f"^(?!{re.escape(address)})"), refuse)
    answer_counter(page, 1_234_567)
    page.goto(address + path, wait_until="networkidle")
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    for width in (360, 820, 1440):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert noise == []
    page.close()
