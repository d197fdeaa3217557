"""What is for some eyes alone: previews, protected sites, and sites that are worked on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from celery import Celery

from cloudadmin.aws import Access, Clients
from tests.e2e.conftest import Up, eventually
from tests.e2e.crawler import write

BASE = "preview.eyes.test"
SITE = {"index.html": b"production", "404.html": b"nothing", "maintenance.html": b"back soon"}


@pytest.fixture(scope="module")
def host(up: Up, tmp_path_factory: pytest.TempPathFactory) -> str:
    route53 = Clients(Access("us-east-1", endpoint_url=up.run["aws_endpoint"])).route53
    route53.create_hosted_zone(Name="eyes.test", CallerReference="eyes.test")
    host = up.live_site("eyes", "--no-counter", "--domain", f"*.{BASE}")
    up.settle("eyes")
    up.deploy("eyes", write(tmp_path_factory.mktemp("site"), SITE))
    return host


@pytest.fixture
def get(up: Up) -> Callable[..., httpx.Response]:
    def get(host: str, path: str = "/", **options) -> httpx.Response:
        with up.visitor(host) as visitor:
            return visitor.get(path, **options)

    return get


def test_a_preview_is_at_its_own_address_until_it_expires(up: Up, host: str, get, tmp_path: Path):
    folder = write(tmp_path, {**SITE, "index.html": b"preview"})
    done = json.loads(
        up.manage(
            "deploy_site", "eyes", folder, "--preview", "--branch", "feature/Login", "--json"
        ).stdout
    )
    preview = f"feature-login.{BASE}"

    assert (done["state"], done["published"]) == ("success", True)
    assert (urlsplit(done["url"]).hostname or "").startswith(preview)
    for address in (preview, f"d{done['number']}.{BASE}"):
        assert get(address).text == "preview", address
        assert "noindex" in get(address).headers["x-robots-tag"]
    assert get(host).text == "production"
    assert "x-robots-tag" not in get(host).headers

    assert up.query(
        "UPDATE deployments_deployment d SET expires_at = now() FROM sites_site s"
        " WHERE s.id = d.site_id AND s.name = 'eyes' AND d.is_previewed RETURNING d.number"
    ) == [(done["number"],)]
    with Celery(
        broker=up.run["redis_url"], set_as_current=False
    ) as broker:  # beat does it every few minutes
        broker.send_task("deployments.expire_previews")
    eventually(lambda: get(preview).text != "preview")
    assert json.loads(up.manage("previews", "eyes", "--json").stdout) == []
    assert get(host).text == "production"


def test_a_protected_site_asks_for_its_password(up: Up, host: str, get):
    password = up.manage("protect_site", "eyes").stdout.split()[-1]
    eventually(lambda: get(host).status_code == 401)
    assert b"production" not in get(host).content
    assert get(host, auth=("", "another one")).status_code == 401
    eventually(lambda: get(host, auth=("anybody", password)).text == "production")

    up.manage("protect_site", "eyes", "--off")
    eventually(lambda: get(host).text == "production")


def test_a_site_in_maintenance_says_so(up: Up, host: str, get):
    up.manage("maintain_site", "eyes", "--on")
    eventually(lambda: get(host).status_code == 503)
    assert get(host).content == SITE["maintenance.html"]

    up.manage("maintain_site", "eyes", "--off")
    eventually(lambda: get(host).text == "production")
