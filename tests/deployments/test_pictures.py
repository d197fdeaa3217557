"""Pictures of sites: taken by a caged browser, of what everybody sees, and never in the way."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from unittest import mock

import pytest
from django.urls import reverse
from django.utils import timezone

from deployments import browser, pictures
from deployments.browser import NoPicture
from deployments.models import DeploySettings, SitePicture
from sites.models import Role, Site
from tests.e2e.browser import find_browser
from tests.factories import DeploymentFactory, SiteFactory, member
from tests.lambda_src.counter.containers import container

pytestmark = pytest.mark.django_db
PAGE = b"""<!doctype html><body><script>
for (const url of %b) fetch(url, {mode: "no-cors"});
new Image().src = "http://169.254.169.254/latest/meta-data/";
</script><h1>Shop</h1>"""


class Server(ThreadingHTTPServer):
    """Counts what it is asked; its page asks ``others``."""

    others: tuple[str, ...] = ()

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str] = []
        self.agents: set[str] = set()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.server.agents.add(self.headers["User-Agent"])
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(PAGE % str(list(self.server.others)).encode())

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        yield server
        server.shutdown()


@pytest.fixture
def site() -> Site:
    return SiteFactory(name="shop", live=True, serving=True)


def test_a_page_is_seen_and_reaches_nothing_else(site, server, settings):
    with Server() as other:
        server.others = tuple(
            f"http://{host}:{port}/"
            for host in ("127.0.0.1", "localhost", "[::1]", "other.localhost", "shop.localhost")
            for port in (other.port,)
        ) + (f"http://127.0.0.1:{server.port}/by-number",)
        settings.CLOUDADMIN_EDGE_URL = f"http://127.0.0.1:{server.port}"
        settings.CLOUDADMIN_CHROMIUM = str(find_browser())
        DeploymentFactory(site=site, current=True, published_at=timezone.now())
        assert pictures.take_next()
        other.shutdown()
        assert other.asked == []
    assert "/by-number" not in server.asked
    assert {agent for agent in server.agents if "Chrome" in agent} == {browser.AGENT}
    assert container("hit").is_bot(browser.AGENT)  # so that no picture is a visit
    row = SitePicture.objects.get()
    assert row.problem == ""
    assert bytes(row.image)[8:12] == b"WEBP"
    assert len(row.image) <= pictures.LARGEST
    assert not pictures.take_next()


def test_a_site_that_is_not_for_everybody_has_none(site, settings, monkeypatch):
    settings.CLOUDADMIN_CHROMIUM = "sh"
    shoot = mock.create_autospec(browser.shoot)
    monkeypatch.setattr(browser, "shoot", shoot)
    row = DeploySettings.objects.create(site=site, protection=[{"path": "/"}])
    deployment = DeploymentFactory(site=site, current=True, published_at=timezone.now())
    assert "asks for a password" in pictures.take(deployment, "sh").problem
    row.protection, row.is_in_maintenance = [], True
    row.save()
    assert "in maintenance" in pictures.take(deployment, "sh").problem
    shoot.assert_not_called()


def test_nothing_is_tried_without_a_browser_or_twice(site, settings, monkeypatch):
    deployment = DeploymentFactory(site=site, current=True, published_at=timezone.now())
    settings.CLOUDADMIN_CHROMIUM = "off"
    assert not pictures.take_next()
    settings.CLOUDADMIN_CHROMIUM = "/nowhere/chromium"
    assert not pictures.take_next()
    settings.CLOUDADMIN_CHROMIUM = "sh"
    shot = mock.create_autospec(pictures._shot, side_effect=NoPicture("It is too slow."))
    monkeypatch.setattr(pictures, "_shot", shot)
    assert pictures.take_next()
    assert not pictures.take_next()
    assert site.picture.deployment == deployment


def test_a_picture_is_served_to_who_may_see_the_site(client, site):
    address = reverse("admin:sites_site_picture", args=[site.pk])
    client.force_login(member(Role.VIEWER, site))
    assert client.get(address).status_code == 404
    SitePicture.objects.create(site=site, image=b"RIFF", digest="ab" * 32)
    found = client.get(address)
    assert (found.content, found.headers["Content-Type"]) == (b"RIFF", "image/webp")
    assert client.get(address, headers={"If-None-Match": found.headers["ETag"]}).status_code == 304
    client.force_login(member(Role.OWNER, SiteFactory()))
    assert client.get(address).status_code == 404
