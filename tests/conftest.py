"""Fixtures shared by all tests."""

from __future__ import annotations

import fcntl
import gc
import os
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from pathlib import Path

import httpx
import pytest
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in
from django.core.management import call_command
from django.db import connection, transaction
from django.db.backends.postgresql.operations import DatabaseOperations
from django.http import HttpRequest
from hypothesis import HealthCheck, settings
from pytest_django import DjangoDbBlocker
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from cloudadmin import embedded
from cloudadmin.aws import Access, Clients
from tests.localcloud import http

# In the gate fewer examples; HYPOTHESIS_PROFILE=default for all of them. That a machine does
# something else meanwhile is no failure.
settings.register_profile(
    "gate", max_examples=25, suppress_health_check=[HealthCheck.too_slow], deadline=None
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "gate"))


def prove(sender: type[User], request: HttpRequest, user: User, **kwargs: object) -> None:
    """``client.force_login`` makes a session of somebody who has just proven, with a second factor
    too, who they are. A login through the page, which has a method, proves what it proves."""
    if request.method is None:
        request.session["account_authentication_methods_user"] = str(user.pk)
        request.session["account_authentication_methods"] = [
            {"method": "password", "at": time.time()},
            {"method": "mfa", "type": "totp", "id": 0, "at": time.time()},
        ]


user_logged_in.connect(prove)

# Half a minute long and longer: begun first, so that no worker is left with them at the end.
LONG = (
    "tests/e2e/",
    "tests/localcloud/test_propagation.py",
    "tests/sites/provisioning/test_moto.py",
    "tests/sites/provisioning/test_sweep.py",
    "tests/test_matrix.py",
)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """After the order was shuffled."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))


class OneUp(LoadFileScheduling):  # type: ignore[misc]  # it brings no types
    """Each file runs in one process, and all files that share an ``up`` in the same.

    The mark xdist_group, which is meant for it, does nothing under pytest 9.2.
    """

    def _split_scope(self, nodeid: str) -> str:
        return "up" if nodeid.startswith("tests/e2e/") else super()._split_scope(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> OneUp:
    return OneUp(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Modules stay: looked through for garbage while they are read, and then again and again, they
    cost a tenth of the time."""
    gc.disable()
    collected = yield
    gc.collect()
    gc.freeze()
    gc.enable()
    return collected


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None, django_db_blocker: DjangoDbBlocker
) -> None:
    """Whoever is in need of a database first migrates one; all copy it, and have nothing left to
    migrate."""
    name, database = "migrated", connection.settings_dict
    with Path(os.environ["CLOUDADMIN_DATA_DIR"], "migrated.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with django_db_blocker.unblock(), connection._nodb_cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
            if not cursor.fetchone():
                cursor.execute(f"CREATE DATABASE {name}")
                with pytest.MonkeyPatch.context() as patch:
                    patch.setitem(database, "NAME", name)
                    call_command("migrate", verbosity=0)
                    connection.close()
    database["TEST"]["TEMPLATE"] = name


# To truncate makes each table and each of its indexes anew, hundreds of files; a few rows are
# deleted in a tenth of the time.
IS_LITTLE = """
    SELECT max(pg_table_size(oid)) < 1000000 FROM pg_class
    WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
"""


@pytest.fixture(scope="session", autouse=True)
def flushing() -> Iterator[None]:
    """Between tests the audit log is emptied, which it refuses; the server's owner may all the
    same, who switches its triggers off for that."""
    flush = DatabaseOperations.execute_sql_flush

    def execute_sql_flush(self: DatabaseOperations, statements: list[str]) -> None:
        with transaction.atomic(using=self.connection.alias), self.connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
            cursor.execute(IS_LITTLE)
            if cursor.fetchone() == (True,):
                names = self.connection.introspection.django_table_names(only_existing=True)
                statements = [f"DELETE FROM {self.quote_name(name)}" for name in names]
            flush(self, statements)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DatabaseOperations, "execute_sql_flush", execute_sql_flush)
        yield


@pytest.fixture(scope="session")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The bare emulator's endpoint URL."""
    folder = tmp_path_factory.mktemp("ministack")
    port = embedded.free_port()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [str(Path(sys.executable).parent / "ministack")],
            env={
                **os.environ,
                "BIND_HOST": "127.0.0.1",
                "GATEWAY_PORT": str(port),
                "S3_DATA_DIR": str(folder / "s3"),
            },
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        try:
            http.get(f"{url}/_localstack/health", timeout=2)
            break
        except httpx.TransportError:
            time.sleep(0.05)
    yield url
    process.kill()
    process.wait(60)


@pytest.fixture
def clients(ministack: str) -> Clients:
    return Clients(Access(region="us-east-1", endpoint_url=ministack))
