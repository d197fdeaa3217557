"""``make lighthouse``: accessibility and best practices of five pages, at least 95 of 100 each."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from django.conf import settings
from django.test import Client

from tests.e2e.browser import FLAGS, find_browser
from tests.looks.rows import Rows
from tests.looks.walker import addresses

PAGES = (
    *("admin:index", "admin:sites_site_changelist", "admin:sites_site_change"),
    *("admin:deployments_deployment_change", "admin:sites_visitors"),
)
LEAST = 95
VERSION = "lighthouse@12"


def test_five_pages_are_good(live_server: Any, rows: Rows, tmp_path: Path) -> None:
    client = Client()
    client.force_login(rows.person)
    cookie = f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"
    headers = tmp_path / "headers.json"
    headers.write_text(json.dumps({"Cookie": cookie}))
    paths = addresses(rows)[0]
    told = {}
    for name in PAGES:
        done = subprocess.run(
            [
                *("npx", "--yes", VERSION, live_server.url + paths[name], "--quiet"),
                *("--output=json", "--preset=desktop", f"--extra-headers={headers}"),
                "--only-categories=accessibility,best-practices",
                f"--chrome-flags=--headless=new {' '.join(FLAGS)}",
            ],
            env={**os.environ, "CHROME_PATH": str(find_browser())},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        categories = json.loads(done.stdout)["categories"]
        told[name] = {each: round(100 * found["score"]) for each, found in categories.items()}
    print(json.dumps(told, indent=2))  # noqa: T201
    assert all(score >= LEAST for scores in told.values() for score in scores.values()), told
