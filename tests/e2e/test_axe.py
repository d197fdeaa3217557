"""The main pages keep nobody out: axe-core, light and dark. ``make axe`` looks at all of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.looks.axe import violations
from tests.looks.rows import Rows, furnish
from tests.looks.stage import visiting
from tests.looks.walker import addresses

PAGES = (
    *("admin:index", "admin:sites_site_changelist", "admin:sites_site_change"),
    *("admin:deployments_deployment_changelist", "admin:deployments_deployment_change"),
    *("admin:sites_operation_changelist", "admin:sites_operation_change", "admin:sites_visitors"),
    *("admin:deployments_listener_add", "admin:auth_user_changelist", "mfa_index", "visitors"),
)


@pytest.fixture(scope="module", autouse=True)
def beside_a_loop() -> Iterator[None]:
    """Playwright has an event loop in this thread, for which Django would not ask the database."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        yield


@pytest.fixture
def rows(transactional_db: None) -> Rows:
    return furnish()


def test_the_main_pages_have_no_violation(live_server: Any, browser: Browser, rows: Rows):
    paths = addresses(rows)[0]
    for is_dark in (False, True):
        with visiting(browser, live_server.url, rows, is_dark=is_dark) as page:
            for name in PAGES:
                page.goto(live_server.url + paths[name])
                assert violations(page) == [], f"{name}, {'dark' if is_dark else 'light'}"
