"""Who may open and do what: every named address of the URLconf has a row in ``tests/matrix.txt``.

A row is the address's name, then for GET and for POST the lowest role that succeeds:

- ``any``: without a login; ``login``: whoever is logged in, for what is their own;
- ``viewer``, ``deployer``, ``operator``, ``owner`` of the site, or of its team;
- ``super``; ``-``: nobody.
- A star: the page is about no single site, so that the owner of another team succeeds as well, with
  rows of their own.
- ``=viewer,super``: these and nobody else, for the row belongs to that one person.
- ``again`` at the end: who has not just proven who they are is asked first.

Whoever has less is led to the login, or answered 403 or 404, and changes no row.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.http import QueryDict
from django.test import Client
from django.urls import get_resolver
from django.utils import timezone

import sites.access
from cloudadmin.aws import BotoCoreError
from deployments import tokens
from deployments.api.app import api
from deployments.models import BulkRun, Launch, Scope
from sites.models import Role, Site
from tests.factories import TeamFactory, UserFactory, member
from tests.looks import walker
from tests.looks.rows import Rows, furnish

pytestmark = pytest.mark.django_db

LEVELS = ("any", "login", "viewer", "deployer", "operator", "owner", "super")
WRITES = ("INSERT", "UPDATE", "DELETE")
# Written by who is refused too: that a webhook without a signature came, for one.
LOGS = ("django_session", '"deployments_delivery"')
# What reaches out of the machine is only refused here.
REACHES_OUT = ("deployments_listener_test",)
# allauth notes that one's own codes were looked at before it refuses the method.
NOTES = ("mfa_download_recovery_codes",)


class Line(NamedTuple):
    get: str
    post: str
    asks_again: bool


def table() -> dict[str, Line]:
    lines = (Path(__file__).parent / "matrix.txt").read_text().splitlines()
    rows = [line.split() for line in lines if line and not line.startswith("#")]
    return {row[0]: Line(row[1], row[2], row[-1] == "again") for row in rows}


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> Rows:
    def no_cloud(*args: object) -> None:
        raise BotoCoreError

    monkeypatch.setattr(sites.access, "_clients", no_cloud)
    return furnish()


def names() -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """The name in the table, the name to reverse and the parameters, of every address."""
    for namespace, pattern, wanted in walker.patterns(get_resolver().url_patterns):
        name = str(pattern.name or "")
        if name and not namespace.startswith("api"):
            yield name, f"{namespace}{name}", wanted


class Person:
    """Somebody at one level; each request is theirs, whatever the one before did to the session."""

    def __init__(self, user: User | None, at: float | None = None) -> None:
        self.client = Client(raise_request_exception=False)
        if user:
            self.client.force_login(user)
            if at is not None:
                session = self.client.session
                for record in session["account_authentication_methods"]:
                    record["at"] = at
                session.save()
        self.cookies = self.client.cookies.output()
        self.session = self.client.cookies["sessionid"].value if user else ""

    def ask(self, method: str, path: str, **kwargs: Any) -> tuple[Any, list[str]]:
        """The answer, and what it would have written."""
        if self.session:
            self.client.cookies["sessionid"] = self.session
        with transaction.atomic(), written() as found:
            answer = getattr(self.client, method)(path, **kwargs)
            transaction.set_rollback(True)
        return answer, found


@contextmanager
def written() -> Iterator[list[str]]:
    found: list[str] = []

    def look(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith(WRITES) and not any(table in sql for table in LOGS):
            found.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(look):
        yield found


def people(site: Site) -> dict[str, Person]:
    """One of each level; what is one person's alone is the operator's, or the viewer's."""
    assert site.team
    stranger = member(Role.OWNER, TeamFactory())
    users = {role.label.lower(): member(role, site.team) for role in Role}
    Site.objects.filter(launch__isnull=False).update(team=site.team)
    Launch.objects.update(owner=users["operator"], team=site.team)
    BulkRun.objects.update(creator=users["viewer"])
    Authenticator.objects.update(user=users["viewer"])
    boss = UserFactory(is_superuser=True)
    found = {"any": None, "login": stranger, **users, "super": boss}
    return {level: Person(user) for level, user in found.items()}


def is_refused(answer: Any) -> bool:
    """htmx is told to load the page anew, which then leads to the login, or to go to a list."""
    is_led_away = answer.headers.get("Location", "").startswith("/login/?next=")
    is_empty = bool(answer.headers.keys() & {"HX-Refresh", "HX-Redirect"}) and not answer.content
    return is_led_away or is_empty or answer.status_code in (401, 403, 404, 405, 410)


def cells(least: str) -> dict[str, bool]:
    """Who succeeds: each level is asked, and “login” is the owner of another team."""
    if least.startswith("="):
        alone = least[1:].split(",")
        return {level: level in alone for level in LEVELS}
    wanted = least.rstrip("*")
    place = LEVELS.index(wanted) if wanted in LEVELS else len(LEVELS)
    may = {level: LEVELS.index(level) >= place for level in LEVELS}
    return may | ({"login": least.endswith("*")} if place > LEVELS.index("login") else {})


def wrongs(person: dict[str, Person], method: str, path: str, least: str) -> Iterator[str]:
    """What is not as the table says, in words."""
    sent = {"data": QueryDict(path.partition("?")[2]).dict()} if method == "post" else {}
    for level, may in cells(least).items():
        answer, wrote = person[level].ask(method, path, **sent)
        who = "the owner of another team" if level == "login" else level
        if answer.status_code >= 500:
            yield f"{who} gets {answer.status_code}"
        if may and is_refused(answer):
            yield f"{who} is refused ({answer.status_code}), and should not be"
        if not may and not is_refused(answer):
            yield f"{who} is let in ({answer.status_code}), and should not be"
        if not may and wrote:
            yield f"{who} is refused, and changes rows all the same: {wrote[0][:60]}"


def test_every_address_is_for_whom_the_table_says(rows):
    site = rows.of["sites.site"]
    site.refresh_from_db()
    person, lines, found = people(site), table(), []
    for name, full, wanted in names():
        if name not in lines:
            found.append(f"“{name}” has no row in tests/matrix.txt: say who may open and do it.")
            continue
        path = walker.path_of(full, wanted, rows)
        found += [f"GET {name}: {wrong}" for wrong in wrongs(person, "get", path, lines[name].get)]
        if name not in REACHES_OUT:
            wrong = wrongs(person, "post", path, lines[name].post)
            said = [each for each in wrong if name not in NOTES or "changes rows" not in each]
            found += [f"POST {name}: {each}" for each in said]
    assert not found, "\n".join(found)
    assert set(lines) <= {name for name, *_ in names()}, "rows of addresses that are gone"


def test_what_the_table_says_asks_again_asks(rows):
    user = UserFactory(is_superuser=True)
    Authenticator.objects.update(user=user)
    owner = Person(user, at=time.time() - 3600)
    lines, found = table(), []
    for name, full, wanted in names():
        path = walker.path_of(full, wanted, rows)
        method = "post" if lines[name].post != "-" else "get"
        if name in REACHES_OUT:
            continue
        answer, _ = owner.ask(method, path)
        asks = "reauthenticate" in answer.headers.get("Location", "") and "reauth" not in name
        if asks != lines[name].asks_again:
            found.append(f"{name}: {'asks' if asks else 'does not ask'} again")
    assert not found, "\n".join(found)


# Of the API: the lowest role whose token succeeds, by the name of the operation.
OPERATIONS = {
    "get_token": "any token",
    "revoke_token": "any token",
    "exchange_identity": "no token",
    "get_site": "viewer",
    "list_deployments": "viewer",
    "create_by_archive": "deployer",
    "create_by_manifest": "deployer",
    "get_deployment": "viewer",
    "get_log": "viewer",
    "cancel_deployment": "deployer",
    "list_uploads": "deployer",
    "finalize": "deployer",
    "publish_deployment": "deployer",
    "roll_back": "deployer",
    "lock_site": "deployer",
    "unlock_site": "deployer",
    "resume_publishing": "deployer",
    "list_previews": "viewer",
    "close_preview": "deployer",
    "list_invalidations": "viewer",
    "invalidate": "deployer",
    "get_invalidation": "viewer",
    "get_visitors": "viewer",
    "list_visitors_by": "viewer",
}
FILE = {"path": "index.html", "sha256": "0" * 64, "size": 1}
BODIES: dict[str, Any] = {
    "roll_back": {},
    "lock_site": {"reason": "sale"},
    "invalidate": {"paths": ["/a"]},
    "create_by_manifest": {"files": [FILE]},
}


def api_wrong(least: str, level: str, answer: Any, wrote: list[str]) -> str:
    """What is not as the table says; that the site lacks such a row refuses nobody."""
    may = {
        "no token": True,
        "any token": bool(level),
        "viewer": level in ("viewer", "deployer"),
        "deployer": level == "deployer",
    }[least]
    is_refused = answer.status_code in (401, 403) or (answer.status_code == 404 and not may)
    if may and is_refused and least != "no token":
        return f"is refused ({answer.status_code}), and should not be"
    if not may and not is_refused:
        return f"is let in ({answer.status_code}), and should not be"
    if not may and any("deploytoken" not in sql for sql in wrote):
        return f"is refused, and changes rows all the same: {wrote[0][:60]}"
    return ""


def test_every_operation_of_the_api_is_for_whom_the_table_says(rows):
    """With a token of every scope, made by somebody who has had a higher role."""
    site = rows.of["sites.site"]
    site.refresh_from_db()
    other = Site.objects.exclude(pk=site.pk).earliest("pk")
    number = site.deployments.earliest("pk").number
    assert site.team
    users = {role.label.lower(): member(role, site.team) for role in (Role.VIEWER, Role.DEPLOYER)}
    ends = timezone.now() + timedelta(days=1)
    text = {}
    for level, user in users.items():
        text[level] = tokens.issue(site, level, list(Scope), ends, user)[1]
    text["another"] = tokens.issue(other, "another", list(Scope), ends)[1]
    person, found = Person(None), []
    values = {"site": site.name, "number": number, "label": "none", "id": 1, "kind": "pages"}
    for path, methods in api.get_openapi_schema(path_prefix="/api/v1")["paths"].items():
        for method, operation in methods.items():
            name = operation["operationId"]
            if name not in OPERATIONS:
                found.append(f"“{name}” has no row in OPERATIONS: say whose token may do it.")
                continue
            for level in ("", "another", "viewer", "deployer"):
                ask: dict[str, Any] = {}
                if level:
                    ask["headers"] = {"Authorization": f"Bearer {text[level]}"}
                if method != "get":
                    ask |= {"data": BODIES.get(name), "content_type": "application/json"}
                answer, wrote = person.ask(method, path.format(**values), **ask)
                wrong = api_wrong(OPERATIONS[name], level, answer, wrote)
                found += [f"{method} {name}: {level or 'nobody'} {wrong}"] if wrong else []
    assert not found, "\n".join(found)
