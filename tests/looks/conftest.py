"""A browser and an installation to look at, shared by what looks."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.e2e.browser import FLAGS, find_browser
from tests.looks.rows import Rows, furnish

# Playwright has an event loop in this thread, for which Django would not ask the database.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def rows(transactional_db: None) -> Rows:
    return furnish()
