"""The real stacks, the real counter and router, where AWS's refusals and delays are real."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings

from sites import provisioning
from sites.provisioning import Done, Waiting
from sites.provisioning.outcomes import Outcome
from sites.provisioning.package import build
from sites.stacks import edge_code
from tests.localcloud.conftest import LocalCloud
from tests.sites.provisioning.conftest import World


@pytest.fixture(scope="module")
def local_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    cloud = LocalCloud(tmp_path_factory.mktemp("cloud"), propagation=0.5)
    cloud.start()
    yield cloud
    cloud.stop()


@pytest.fixture
def world(local_cloud: LocalCloud, tmp_path: Path) -> World:
    uid = str(uuid.uuid4())
    clients = local_cloud.clients
    clients.route53.create_hosted_zone(Name=f"zone-{uid}.com", CallerReference=uid)
    package = tmp_path / "counter.zip"
    package.write_bytes(build(settings.BASE_DIR / "lambda_src" / "counter"))
    return World(
        clients,
        package,
        provisioning.SiteSpec(
            uid=uid,
            name="local",
            account_id=clients.sts.get_caller_identity()["Account"],
            region="us-east-1",
            domains=(f"zone-{uid}.com", f"www.zone-{uid}.com"),
        ),
        **edge_code(),
    )


def settle(step: Callable[[], Outcome]) -> tuple[Outcome, set[str]]:
    """The outcome after all waits, and what was waited for."""
    waits: set[str] = set()
    deadline = time.monotonic() + 120
    while True:
        outcome = step()
        if not isinstance(outcome, Waiting):
            return outcome, waits
        waits |= {wait.what.partition(".")[0] for wait in outcome.waits}
        assert time.monotonic() < deadline, outcome
        time.sleep(0.05)


def test_counting_in_a_database_that_was_there(world: World):
    name = f"shared-{world.site.prefix[-12:]}"
    clients = world.clients
    clients.rds.create_db_instance(
        DBInstanceIdentifier=name,
        Engine="postgres",
        DBInstanceClass="db.t4g.micro",
        AllocatedStorage=20,
        DBName=name.replace("-", "_"),
        MasterUsername=name.replace("-", "_"),
        MasterUserPassword="correct-horse",
    )
    found: Any = clients.rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]
    database = provisioning.Database(
        host=found["Endpoint"]["Address"],
        port=found["Endpoint"]["Port"],
        name=found["DBName"],
        user=found["MasterUsername"],
        resource_id=found["DbiResourceId"],
        subnet_ids=(),
        security_group_ids=(),
    )
    world.site = replace(world.site, domains=(), database=database)
    outcome, _ = settle(world.advance)
    assert outcome == Done()
    assert (
        not {"db_instance", "db_subnet_group", "security_group"} & world.account_store.rows.keys()
    )
    with psycopg.connect(
        host=database.host, port=database.port, dbname=database.name, user=database.user
    ) as connection:
        made = connection.execute("SELECT to_regnamespace('counter') IS NOT NULL").fetchone()
    assert made == (True,)
    outcome, _ = settle(world.destroy)
    assert outcome == Done()
    # It is somebody else's.
    assert clients.rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"]
    clients.rds.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)


def test_up_and_down_with_the_delays_and_refusals_of_aws(world: World):
    outcome, waits = settle(world.advance)
    assert outcome == Done()
    assert waits >= {"certificate", "distribution"}
    assert not world.plan().effective, world.plan().as_text()
    assert world.site_store.rows["counter_schema"].physical_id.startswith("version ")
    outcome, waits = settle(world.destroy)
    assert outcome == Done()
    assert "distribution" in waits
    assert world.site_store.rows == {}
    assert world.account_store.rows == {}
