"""``make screenshots``: every page at three widths into ``docs/screenshots``, as WebP.

``ONLY="index site_change" make screenshots`` makes anew those that end with one of the words.
"""

from __future__ import annotations

import base64
import itertools
import os
import shutil
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page

from tests.looks.axe import visit
from tests.looks.rows import Rows
from tests.looks.stage import HEIGHT, WIDTHS, visiting
from tests.looks.walker import addresses, is_shown

DOCS = Path(__file__).parent.parent.parent / "docs"
FOLDER = Path(os.environ.get("SCREENSHOTS", DOCS / "screenshots"))
ONLY = tuple(os.environ.get("ONLY", "").split()) or ("",)
MOST_BYTES = 8_000_000
# So high is what a page is shown of, at most.
HIGHEST = 1_600
QUALITY = 55
# Of these README shows the dark side too.
DARK = ("admin:index", "admin:sites_site_change", "admin:deployments_deployment_change")


def picture(page: Page, width: int) -> bytes:
    """Playwright itself knows no WebP, its browser does."""
    high = min(HIGHEST, page.locator("html").evaluate("html => html.scrollHeight"))
    page.set_viewport_size({"width": width, "height": max(high, 600)})
    # Charts and what sticks to the window follow with the next frames.
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
    options = {"format": "webp", "quality": QUALITY}
    session = page.context.new_cdp_session(page)
    return base64.b64decode(session.send("Page.captureScreenshot", options)["data"])


def test_every_page_is_shown(live_server: Any, browser: Browser, rows: Rows) -> None:
    if ONLY == ("",):
        shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True, exist_ok=True)
    paths = {name: path for name, path in addresses(rows)[0].items() if name.endswith(ONLY)}
    for width, is_dark, is_known in itertools.product(WIDTHS, (False, True), (True, False)):
        looks: dict[str, Any] = {"width": width, "is_dark": is_dark, "is_known": is_known}
        with visiting(browser, live_server.url, rows, **looks) as page:
            for name in paths.keys() & DARK if is_dark else paths:
                is_here = is_shown(name, is_known=is_known)
                if is_here and visit(page, live_server.url + paths[name]):
                    page.wait_for_load_state("networkidle")
                    dark = "-dark" if is_dark else ""
                    file = f"{name.removeprefix('admin:')}-{width}{dark}.webp"
                    (FOLDER / file).write_bytes(picture(page, width))
                    page.set_viewport_size({"width": width, "height": HEIGHT})
    assert sum(file.stat().st_size for file in FOLDER.iterdir()) <= MOST_BYTES
