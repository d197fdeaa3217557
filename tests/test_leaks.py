"""What a page that may be opened says: nothing of other teams, not even how many they are.

A second team has a row of every kind with a word in each of its columns that occurs nowhere else.
Whoever has a role in the first team alone never reads that word, and reads the same, to the letter,
as without the second team.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from html import unescape
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

import sites.access
from cloudadmin.aws import BotoCoreError
from deployments import tokens
from deployments.api.app import api
from deployments.models import Scope
from sites.models import Role, Site
from tests.factories import UserFactory, member
from tests.looks import walker
from tests.looks.rows import Rows, furnish
from tests.second_team import WORD, seal, second_team
from tests.test_matrix import Line, Person, names, table

pytestmark = pytest.mark.django_db

LEAK = re.compile(rb"zxq-[\w.-]+", re.IGNORECASE)
# Of the way in, which is about the person who is there.
OWN = ("account_", "mfa_", "usersessions_", "login", "logout", "password_change", "invitation")
OF_NO_ROW = (*OWN, "view_on_site")
MISSING, LONGEST = 10**8, 200
# What a page loads by itself.
PART = re.compile(rb'hx-get="([^"]+)"')
# Drawn anew for each answer.
DRAWN = re.compile(
    rb'name="csrfmiddlewaretoken" value="\w+"|"X-CSRFToken": ?"\w+"|'
    rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
)


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> Rows:
    def no_cloud(*args: object) -> None:
        raise BotoCoreError

    now = timezone.now()
    monkeypatch.setattr(sites.access, "_clients", no_cloud)
    monkeypatch.setattr(timezone, "now", lambda: now)
    return furnish()


class Question(NamedTuple):
    level: str
    name: str
    path: str


def questions(level: str, rows: Rows, second: Rows) -> Iterator[Question]:
    """Whatever may be read by somebody; of the lists also what is the second team's alone.

    Who is neither the least nor the highest is asked for what they are the first to see, and for
    what is of no single site.
    """
    lines = table()
    for name, full, wanted in names():
        least = lines[name].get
        if least == "-" or name.endswith("logout"):
            continue
        is_asked = level in ("viewer", "owner") or least.endswith("*") or least == level
        if not is_asked or (name.startswith(OWN) and level != "owner"):
            continue
        path = walker.path_of(full, wanted, rows)
        yield Question(level, name, path)
        if name.endswith(("_changelist", "_export")) and level in ("viewer", "owner"):
            site: Any = second.of["sites.site"]
            told: Any = {"site": site, "who": second.person.username, "site__id__exact": site.pk}
            told |= {"account": site.account_id, "team": site.team_id}
            for asked in ({"q": WORD}, told):
                yield Question(level, name, f"{path}?{urlencode(asked)}")


def text(answer: Any, path: str) -> bytes:
    """All of an answer that a browser gets, but for what is drawn anew for each, and for what was
    asked."""
    body = b"".join(answer) if answer.streaming else answer.content
    kept = [name for name in answer.headers if name not in ("Expires", "Content-Length")]
    headers = "".join(f"{name}: {answer[name]}\n" for name in kept)
    told = DRAWN.sub(b"", f"{answer.status_code} {headers}".encode() + body)
    for _, value in parse_qsl(urlsplit(path).query):
        if WORD in value and value != WORD:
            told = told.replace(value.encode(), b"")
    return told


def answers(people: dict[str, Person], rows: Rows, second: Rows) -> dict[Question, bytes]:
    """With what the owner's pages ask for by themselves."""
    found = {}
    for level, person in people.items():
        asked = deque(questions(level, rows, second))
        while asked:
            question = asked.popleft()
            if question in found:
                continue
            told = text(person.ask("get", question.path)[0], question.path)
            found[question] = told
            if level == "owner" and len(question.path) < LONGEST:
                parts = {unescape(part.decode()) for part in PART.findall(told)}
                asked += [question._replace(path=urljoin(question.path, each)) for each in parts]
    return found


def answers_of_api(site: Site, user: User, second: Rows) -> Iterator[tuple[Question, bytes]]:
    """To the holder of a token of the first site."""
    text_of_token = tokens.issue(site, "CI", list(Scope), timezone.now() + timedelta(days=1), user)[
        1
    ]
    headers = {"Authorization": f"Bearer {text_of_token}"}
    other: Any = second.of["sites.site"]
    deployment = other.deployments.get(is_published=True)
    asked = other.invalidations.get()
    values = {"number": deployment.number, "label": deployment.label, "kind": "pages"}
    for path, methods in api.get_openapi_schema(path_prefix="/api/v1")["paths"].items():
        if "get" not in methods:
            continue
        for name in (site.name, other.name):
            full = path.format(**values, site=name, id=asked.pk)
            answer, _ = Person(None).ask("get", full, headers=headers)
            yield (
                Question("token", methods["get"]["operationId"], full),
                text(answer, full).replace(other.name.encode(), b""),
            )


def told_apart(person: Person, second: Rows) -> Iterator[str]:
    """Where a row of the second team is answered otherwise than one that there is not."""
    rows = {label: type(row)(pk=MISSING) for label, row in second.of.items()}
    values = {name: {**each, "pk": MISSING} for name, each in second.values.items()}
    missing, lines = replace(second, of=rows, values=values), table()
    for name, full, wanted in names():
        if not {"pk", "object_id"} & {*wanted} or name.startswith(OF_NO_ROW):
            continue
        hidden, gone = (walker.path_of(full, wanted, each) for each in (second, missing))
        if gone == hidden:
            continue  # there is no such row of the second team
        method = "post" if lines[name].get == "-" else "get"
        answer, _ = person.ask(method, hidden)
        told = text(answer, hidden)
        if LEAK.search(told):
            yield f"{method} {hidden} tells {LEAK.findall(told)}"
        if answer.status_code == 404:
            continue
        then = text(person.ask(method, gone)[0], gone)
        if told != then:
            yield f"{method} {hidden} tells that it is there: {told[:200]!r}, {then[:200]!r}"


def test_what_may_be_read_tells_nothing_of_other_teams(rows):
    site = Site.objects.select_related("team", "account").get(pk=rows.of["sites.site"].pk)
    assert site.team
    users = {role.label.lower(): member(role, site.team) for role in Role}
    people = {level: Person(user) for level, user in users.items()} | {
        "nobody": Person(UserFactory())
    }
    seal()
    with transaction.atomic():
        second = second_team(site)
        asked = answers(people, rows, second)
        of_api = [*answers_of_api(site, users["deployer"], second)]
        found = list(told_apart(Person(users["owner"]), second))
        transaction.set_rollback(True)
    lines = table()
    for question, told in (*of_api, *asked.items()):
        if leaks := {*LEAK.findall(told)}:
            found.append(f"{question} tells {leaks}")
        elif question in asked and is_compared(question, lines[question.name]):
            alone = text(people["owner"].ask("get", question.path)[0], question.path)
            if told != alone:
                new = [each for each in told.splitlines() if each not in alone.splitlines()]
                found.append(f"{question} is otherwise without the second team: {new[:3]}")
    assert sum(told.startswith(b"200") for told in asked.values()) > 200, "nothing was read"
    assert not found, "\n".join(found)


def is_compared(question: Question, line: Line) -> bool:
    """Not what asks before something is done to one site: it counts nothing."""
    is_read = line.post == "-" or line.get.endswith("*")
    return question.level == "owner" and is_read and not question.name.startswith(OWN)
