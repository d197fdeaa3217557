"""Whole stacks on the emulator."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
import uuid
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from cloudadmin import embedded
from cloudadmin.aws import Clients
from sites import provisioning
from sites.provisioning.outcomes import Outcome
from tests.fakes import MemoryStore
from tests.localcloud import http

START = datetime(2026, 1, 1, tzinfo=UTC)
# Passes until a stack must have converged; between two passes the clock goes on by a minute.
PASSES = 60

COUNTER = """
import json
import os

MARK = "/tmp/schema-" + os.environ["SITE_UID"]


def handler(event, context):
    match event.get("action"):
        case "migrate":
            open(MARK, "w").close()
        case "forget":
            if os.path.exists(MARK):
                os.remove(MARK)
    return {"version": 1 if os.path.exists(MARK) else 0}
"""


def package(folder: Path, code: str = COUNTER) -> Path:
    """A zip with one handler, the same bytes for the same code."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("handler.py", (1980, 1, 1, 0, 0, 0)), code)
    path = folder / "counter.zip"
    path.write_bytes(buffer.getvalue())
    return path


@dataclass
class World:
    """An account and one site of it, driven as the operations drive them."""

    clients: Clients
    counter_package: Path | None
    site: provisioning.SiteSpec
    router_code: str = "function handler(event) { return event.request }"
    headers_code: str = "function handler(event) { return event.response }"
    account_store: MemoryStore = field(default_factory=MemoryStore)
    site_store: MemoryStore = field(default_factory=MemoryStore)
    now: datetime = START

    @property
    def account_stack(self) -> provisioning.Stack:
        spec = provisioning.AccountSpec(
            self.site.prefix[-12:][::-1],
            self.site.account_id,
            self.site.region,
            has_database=self.site.database is None,
        )
        return provisioning.account_stack(spec, counter_package=self.counter_package)

    @property
    def site_stack(self) -> provisioning.Stack:
        return provisioning.site_stack(
            self.site,
            self.account_store.states(),
            router_code=self.router_code,
            headers_code=self.headers_code,
        )

    def advance(self) -> Outcome:
        self.now += timedelta(minutes=1)
        shared = provisioning.advance(
            self.account_stack, self.clients, self.account_store, now=self.now
        )
        return shared.joined(
            provisioning.advance(self.site_stack, self.clients, self.site_store, now=self.now)
        )

    def plan(self) -> provisioning.Plan:
        shared = provisioning.plan(self.account_stack, self.clients, self.account_store)
        own = provisioning.plan(self.site_stack, self.clients, self.site_store)
        return own.after(shared)

    def destroy(self) -> Outcome:
        """The site, then its account."""
        self.now += timedelta(minutes=1)
        outcome = provisioning.destroy(self.site_stack, self.clients, self.site_store, now=self.now)
        if not isinstance(outcome, provisioning.Done):
            return outcome
        return provisioning.destroy(
            self.account_stack, self.clients, self.account_store, now=self.now
        )

    def converge(self) -> Outcome:
        return self._until_done(self.advance)

    def vanish(self) -> Outcome:
        return self._until_done(self.destroy)

    def _until_done(self, step: Callable[[], Outcome]) -> Outcome:
        for _ in range(PASSES):
            outcome = step()
            if not isinstance(outcome, provisioning.Waiting):
                return outcome
        return outcome


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The endpoint URL of a second emulator, by other people.

    A process, for within ours it would put its own handlers into every boto3 client.
    """
    port = embedded.free_port()
    url = f"http://127.0.0.1:{port}"
    with (tmp_path_factory.mktemp("moto") / "log").open("wb") as log:
        process = subprocess.Popen(
            [str(Path(sys.executable).parent / "moto_server"), "--port", str(port)],
            env={**os.environ, "MOTO_ACM_VALIDATION_WAIT": "0"},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        try:
            # Without Docker, for it would run functions there.
            http.post(f"{url}/moto-api/config", json={"lambda": {"use_docker": False}})
            break
        except httpx.TransportError:
            time.sleep(0.05)
    yield url
    process.kill()
    process.wait(60)


@pytest.fixture(scope="module")
def clients(aws: Clients) -> Clients:
    return aws


@pytest.fixture
def uid() -> str:
    return uuid.uuid4().hex[:12]


@pytest.fixture
def zone(clients: Clients, uid: str) -> Iterator[str]:
    """The name of a hosted zone of its own."""
    name = f"zone-{uid}.com"
    created = clients.route53.create_hosted_zone(Name=name, CallerReference=uid)
    yield name
    zone_id = created["HostedZone"]["Id"]
    for record in clients.route53.list_resource_record_sets(HostedZoneId=zone_id)[
        "ResourceRecordSets"
    ]:
        if record["Type"] not in ("NS", "SOA"):
            change: Any = {"Action": "DELETE", "ResourceRecordSet": record}
            clients.route53.change_resource_record_sets(
                HostedZoneId=zone_id, ChangeBatch={"Changes": [change]}
            )
    clients.route53.delete_hosted_zone(Id=zone_id)


def world_of(clients: Clients, uid: str, zone: str, folder: Path) -> World:
    """With a counter, and everything that domains bring with them."""
    site = provisioning.SiteSpec(
        uid=uid,
        name=f"site-{uid}",
        account_id=clients.sts.get_caller_identity()["Account"],
        region="us-east-1",
        domains=(zone, f"www.{zone}"),
    )
    return World(clients, package(folder), site)


@pytest.fixture
def world(clients: Clients, uid: str, zone: str, tmp_path: Path) -> World:
    return world_of(clients, uid, zone, tmp_path)


@pytest.fixture
def provisioned(world: World) -> World:
    assert world.converge() == provisioning.Done()
    return world


@pytest.fixture(scope="module")
def standing(clients: Clients, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Provisioned once for all tests of a module, which leave its things as they are."""
    uid = uuid.uuid4().hex[:12]
    zone = f"zone-{uid}.com"
    clients.route53.create_hosted_zone(Name=zone, CallerReference=uid)
    world = world_of(clients, uid, zone, tmp_path_factory.mktemp("standing"))
    assert world.converge() == provisioning.Done()
    return world
