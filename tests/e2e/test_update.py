"""A live site is changed in place while visitors come, twenty a second, at every point of presence.

Each of them gets the right page, by the old configuration or by the new one.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from cloudadmin.aws import Access, Clients
from localcloud.edge.pop import NAMES
from tests.e2e.conftest import Up, eventually
from tests.localcloud import http

APEX, WWW = "update.test", "www.update.test"
ABOUT, TEAM = b"<!doctype html><p>about", b"<!doctype html><p>team"
PAGES = {
    "/": b"<!doctype html><p>home",
    "/about": ABOUT,
    "/about/": ABOUT,
    "/team": TEAM,
    "/team/": TEAM,
    "/app.js": b"window.app = 1",
}
MISSING, COUNT = "/nowhere", "/_cloudadmin/count"
RATE = 20


def is_right(host: str, path: str, response: httpx.Response) -> bool:
    """By the old configuration, or by the new one."""
    match response.status_code:
        case 200 if path == COUNT:
            return isinstance(response.json()["visits"], int)
        case 200:
            return response.content == PAGES.get(path)
        case 301:
            location = response.headers["location"]
            other_slash = location != path and location.strip("/") == path.strip("/")
            return other_slash or (host == WWW and location == f"//{APEX}{path}")
        case 404:
            return path in (MISSING, COUNT) and not is_half_made(response)
    return False


def is_half_made(response: httpx.Response) -> bool:
    """Whether the edge knows the host and the router does not."""
    return b"Nothing here yet" in response.content or response.status_code >= 500


class Prober(threading.Thread):
    """Asks every host, path and point of presence in turn; ``problems`` are wrong answers."""

    def __init__(self, up: Up, clients: Clients, zone_id: str, hosts: tuple[str, ...]) -> None:
        super().__init__()
        self.up, self.clients, self.zone_id = up, clients, zone_id
        self.hosts = hosts
        self.seen: set[tuple[str, str]] = set()
        self.problems: list[str] = []
        self.asked = 0
        self.done = threading.Event()

    def run(self) -> None:
        turns = itertools.cycle(itertools.product([*PAGES, MISSING, COUNT], NAMES))
        begun = time.monotonic()
        with http.client(base_url=self.up.run["edge"], timeout=30) as client:
            for path, pop in turns:
                for host in self.hosts:
                    if self.done.wait(max(0.0, begun + self.asked / RATE - time.monotonic())):
                        return
                    self._ask(client, host, path, pop)

    def _ask(self, client: httpx.Client, host: str, path: str, pop: str) -> None:
        self.asked += 1
        response = client.get(path, headers={"Host": host, "X-Localcloud-Pop": pop})
        if is_right(host, path, response):
            self.seen.add((host, pop))
        elif is_half_made(response) or ((host, pop) in self.seen and self._leads_here(host)):
            answer = f"{response.status_code} {response.headers.get('location', '')}"
            self.problems.append(f"{host}{path} at {pop}: {answer} {response.content[:80]!r}")

    def _leads_here(self, host: str) -> bool:
        """Whether a record sends visitors of a domain to the edge."""
        if host not in (APEX, WWW):
            return True
        found = self.clients.route53.list_resource_record_sets(HostedZoneId=self.zone_id)
        return any(
            record["Name"] == f"{host}." and record["Type"] == "A"
            for record in found["ResourceRecordSets"]
        )

    @contextmanager
    def at_work(self) -> Iterator[None]:
        self.start()
        try:
            yield
        finally:
            self.done.set()
            self.join()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    for name, path in (("index.html", "/"), ("about/index.html", "/about"), ("app.js", "/app.js")):
        write(folder / name, PAGES[path])
    write(folder / "team.html", TEAM)
    return folder


@pytest.fixture(scope="module")
def prober(up: Up, folder: Path) -> Prober:
    clients = Clients(Access("us-east-1", endpoint_url=up.run["aws_endpoint"]))
    zone = clients.route53.create_hosted_zone(Name=APEX, CallerReference=APEX)["HostedZone"]["Id"]
    host = up.live_site("update", "--domain", APEX)
    assert up.deploy("update", folder)["state"] == "success"
    up.settle("update")
    return Prober(up, clients, zone, (host, APEX, WWW))


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)


def everywhere(up: Up, host: str, path: str) -> Iterator[httpx.Response]:
    with up.visitor(host) as visitor:
        for pop in NAMES:
            yield visitor.get(path, headers={"X-Localcloud-Pop": pop})


def test_no_visitor_notices_a_change(up: Up, prober: Prober, folder: Path):
    def change(*options: str) -> None:
        up.manage("change_site", "update", *options, "--wait")

    def becomes(host: str, path: str, status: int, location: str = "") -> None:
        def is_so() -> bool:
            return all(
                (answer.status_code, answer.headers.get("location", "")) == (status, location)
                for answer in everywhere(up, host, path)
            )

        eventually(is_so, within=60)

    with prober.at_work():
        change("--add-domain", WWW)
        becomes(WWW, "/team", 200)

        change("--redirect", WWW, "--trailing-slash", "always", "--headers", "strict")
        becomes(WWW, "/team", 301, f"//{APEX}/team")
        becomes(APEX, "/team", 301, "/team/")
        assert up.deploy("update", folder)["state"] == "success"

        eventually(
            lambda: all(
                answer.headers.get("x-frame-options") == "DENY"
                and "default-src 'self'" in answer.headers["content-security-policy"]
                for answer in everywhere(up, APEX, "/")
            ),
            within=60,
        )

        change("--no-counter")
        becomes(APEX, COUNT, 404)
        change("--counter", "--price-class", "PriceClass_All", "--remove-domain", WWW)
        becomes(APEX, COUNT, 200)
        becomes(WWW, "/", 403)

    assert prober.problems == []
    assert prober.seen == {*itertools.product(prober.hosts, NAMES)}
    assert prober.asked > 200
    distribution = next(
        row for row in up.status("update")["resources"] if row["type"] == "distribution"
    )
    config = prober.clients.cloudfront.get_distribution_config(Id=distribution["physical_id"])[
        "DistributionConfig"
    ]
    assert config["PriceClass"] == "PriceClass_All"
    assert config["Aliases"]["Items"] == [APEX]
