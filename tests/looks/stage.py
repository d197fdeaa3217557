"""Pages as a browser shows them: a live server, rows, and somebody who is logged in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, Page

from tests.looks.rows import Rows

# Of a phone, a tablet and a desktop.
WIDTHS = (390, 768, 1440)
HEIGHT = 900


@contextmanager
def visiting(
    browser: Browser,
    server: str,
    rows: Rows,
    *,
    width: int = 1440,
    is_dark: bool = False,
    is_known: bool = True,
) -> Iterator[Page]:
    """A page of somebody who may see everything, or of nobody yet."""
    context = browser.new_context(
        viewport={"width": width, "height": HEIGHT},
        color_scheme="dark" if is_dark else "light",
        reduced_motion="reduce",
    )
    if is_known:
        client = Client()
        client.force_login(rows.person)
        name = settings.SESSION_COOKIE_NAME
        cookie = client.cookies[name].value
        context.add_cookies([{"name": name, "value": cookie, "url": server}])
    try:
        yield context.new_page()
    finally:
        context.close()
