"""A browser and an installation to look at, shared by what looks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from unittest import mock

import pytest
from playwright.sync_api import Browser, sync_playwright

from sites import farewell, prospects
from sites.provisioning import Plan
from tests.e2e.browser import FLAGS, find_browser
from tests.looks.rows import SHARED, Rows, furnish, made_for

# Playwright has an event loop in this thread, for which Django would not ask the database.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def rows(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Rows:
    planned = mock.create_autospec(prospects.plan, return_value=Plan(made_for("quarry"), SHARED))
    monkeypatch.setattr(prospects, "plan", planned)
    found = mock.create_autospec(prospects.findings, return_value=())
    monkeypatch.setattr(prospects, "findings", found)
    monkeypatch.setattr(farewell, "retained", mock.create_autospec(farewell.retained))
    farewell.retained.return_value = []  # type: ignore[attr-defined]
    return furnish()
