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


@contextmanager
def visiting(
    browser: Browser, server: str, rows: Rows, *, width: int = 1440, is_dark: bool = False
) -> Iterator[Page]:
    """A page of somebody who may see everything; what its console says is an error."""
    client = Client()
    client.force_login(rows.person)
    cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme="dark" if is_dark else "light",
        reduced_motion="reduce",
    )
    context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": server}])
    try:
        yield context.new_page()
    finally:
        context.close()
