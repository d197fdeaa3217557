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
from datetime import datetime, timedelta
from html import unescape
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.apps import apps
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.db import DatabaseError, connection, models, transaction
from django.utils import timezone

import sites.access
from cloudadmin.aws import BotoCoreError
from deployments import tokens
from deployments.api.app import api
from deployments.models import (
    BulkItem,
    BulkRun,
    Delivery,
    Deployment,
    DeploymentEvent,
    DeploySettings,
    DeployToken,
    EdgeIndex,
    IndexBucket,
    Scope,
    SitePicture,
    TrustedRepository,
)
from sites.models import (
    AuditEntry,
    ImportedDay,
    Invitation,
    Kind,
    Operation,
    OperationTry,
    Role,
    Site,
    VisitCursor,
    VisitImport,
)
from tests.factories import (
    DeploymentFactory,
    DomainFactory,
    InvalidationFactory,
    LaunchFactory,
    ListenerFactory,
    MembershipFactory,
    MessageFactory,
    OperationEventFactory,
    OperationFactory,
    RepositoryFactory,
    ResourceFactory,
    SiteFactory,
    TeamFactory,
    UserFactory,
    VisitCountFactory,
    VisitDayFactory,
    member,
)
from tests.looks import walker
from tests.looks.rows import Rows, furnish
from tests.test_matrix import Line, Person, names, table

pytestmark = pytest.mark.django_db

WORD = "zxq"
LEAK = re.compile(rb"zxq-[\w.-]+", re.IGNORECASE)
# Sums over all sites for administrators, and what is nobody's: that a notice was sent.
OF_NOBODY = {"sites.overallday", "deployments.notice"}
# PostgreSQL writes it, from all other columns, and refuses to change it.
WRITTEN_ALONE = {"sites.auditentry"}
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


# --- The second team ------------------------------------------------------------------------------


def second_team(first: Site) -> Rows:
    """With a site on an account of its own, and one beside the first team's on theirs."""
    account = first.account
    now, before = timezone.now(), known()
    team = TeamFactory()
    owner = MembershipFactory(team=team, role=Role.OWNER, user__email="owner@example.com").user
    own = SiteFactory(team=team, live=True, serving=True, visitors_token="u" * 43)
    beside = SiteFactory(team=team, live=True, serving=True, account=account)
    found = Rows(owner)
    for site in (own, beside):
        things(found, site, now)
    listener = ListenerFactory(site=None, team=team)
    found.keep(listener, MessageFactory(listener=listener, deployment=own.deployments.first()))
    # The administrators' own: it hears of the first team's site, whose people do not hear where.
    everywhere = ListenerFactory(site=None, account=account)
    MessageFactory(listener=everywhere, deployment=first.deployments.get(is_published=True))
    VisitCursor.objects.create(account=own.account)
    launched = LaunchFactory(owner=owner, team=team, site=own, account=own.account)
    found.keep(LaunchFactory(owner=owner, team=team, account=own.account))
    invited = {"role": Role.VIEWER, "digest": "1" * 64, "invited_by": owner}
    found.keep(Invitation.objects.create(email="a@example.com", team=team, **invited))
    EmailAddress.objects.create(user=owner, email=owner.email)
    passkey = Authenticator(user=owner, type=Authenticator.Type.WEBAUTHN)
    passkey.data = {"name": f"{WORD}-passkey"}
    passkey.save()
    for names_of, row in (
        (("draft", "discard", "plan"), found.of["deployments.launch"]),
        (("progress", "panel", "act"), launched),
    ):
        found.values |= {f"new-site-{name}": {"pk": row.pk} for name in names_of}
    run = found.of["deployments.bulkrun"]
    acts = ("run", "panel", "again", "stop")
    found.values |= {f"sites_bulk_{name}": {"pk": run.pk} for name in acts}
    mark(before)
    seal()
    for row in {*found.of.values(), owner}:
        row.refresh_from_db()
    found.keep(AuditEntry.objects.filter(site_id=own.pk).latest("pk"))
    return found


def things(found: Rows, site: Site, now: datetime) -> None:
    """Of every kind that a site has."""
    assert site.team
    person = found.person
    found.keep(site, site.team, site.account, person, site.team.memberships.get(), person)
    found.keep(DomainFactory(site=site))
    waits = [{"what": f"{WORD}-what", "why": f"{WORD}-why", "todo": f"{WORD}-todo"}]
    running = OperationFactory(
        site=site, creator=person, waits=waits, status=Operation.Status.IN_PROGRESS
    )
    failed = {"status": Operation.Status.FAILURE, "finished_at": now}
    found.keep(OperationFactory(site=site, creator=person, **failed), running)
    OperationEventFactory(operation=running)
    OperationTry.objects.create(operation=running)
    drift = {
        "logical_id": "bucket",
        "type": "bucket",
        "label": f"{WORD}-drift",
        "path": f"{WORD}-path",
        "recorded": True,
        "actual": f"{WORD}-actual",
    }
    ResourceFactory(
        site=site, logical_id="certificate", drift=[drift], expires_at=now + timedelta(days=3)
    )
    ResourceFactory(
        site=site, logical_id="role", is_ready=False, waiting_since=now - timedelta(days=3)
    )
    state = Deployment.State
    current = DeploymentFactory(site=site, number=4, current=True, creator=person, author="x")
    DeploymentFactory(site=site, number=5, state=state.FAILURE, warnings=[f"{WORD}-warning"])
    DeploymentFactory(site=site, number=6, state=state.QUEUED, phase=Deployment.Phase.QUEUE)
    DeploymentFactory(site=site, number=7, is_previewed=True, label="x", environment="preview")
    DeploymentEvent.objects.create(deployment=current, text="x", phase=Deployment.Phase.DONE)
    DeploySettings.objects.create(site=site, locked_at=now, updated_by=person)
    IndexBucket.objects.create(
        index=EdgeIndex.objects.create(site=site), generation=1, number=0, value="x"
    )
    SitePicture.objects.create(site=site, image=f"{WORD}-image".encode(), taken_at=now)
    found.keep(current, InvalidationFactory(site=site, creator=person, paths=[f"/{WORD}-path"]))
    repository, listener = RepositoryFactory(site=site), ListenerFactory(site=site)
    run = BulkRun.objects.create(act="lock", creator=person, options={"reason": f"{WORD}-reason"})
    BulkItem.objects.create(run=run, site=site, site_name="x", state=BulkItem.State.FAILURE)
    scopes: dict[str, Any] = {"site": site, "scopes": [Scope.DEPLOY], "creator": person}
    made = {"prefix": "x", "expires_at": now + timedelta(days=1)}
    found.keep(
        *(repository, listener, run),
        MessageFactory(listener=listener, deployment=current),
        Delivery.objects.create(repository=repository, outcome="accepted", deployment=current),
        DeployToken.objects.create(**scopes, **made, digest=f"{site.pk}"),
        TrustedRepository.objects.create(**scopes, repository="x"),
    )
    for kind in Kind:
        VisitDayFactory(site=site, kind=kind, value="", pageviews=900, visits=900)
        VisitCountFactory(site=site, kind=kind, value="", pageviews=900, visits=900)
    imported = VisitImport.objects.create(
        site=site, first_day=now, last_day=now, pageviews=9, days_left=0, creator=person
    )
    ImportedDay.objects.create(visit_import=imported, day=now, kind=Kind.ALL, value="x")
    LogEntry.objects.create(
        user=person,
        content_type=ContentType.objects.get_for_model(Site),
        object_id=str(site.pk),
        object_repr="x",
        action_flag=CHANGE,
        change_message="x",
    )


def seal() -> None:
    """Entries of the audit log are numbered at the end of a transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")


Known = dict[type[models.Model], set[Any]]


def known() -> Known:
    """The rows that are there already, of every model of ours."""
    labels = ("sites", "deployments", "auth", "account", "admin")
    found = [
        each
        for each in apps.get_models()
        if each._meta.app_label in labels and each._meta.label_lower not in WRITTEN_ALONE
    ]
    return {each: {*each._default_manager.values_list("pk", flat=True)} for each in found}


def mark(before: Known) -> None:
    """Whatever came after ``before``, in every column of text."""
    for model, pks in before.items():
        every = model._default_manager
        fresh = [pk for pk in every.values_list("pk", flat=True) if pk not in pks]
        label = model._meta.label_lower
        is_kept = label.startswith(("sites.", "deployments.")) and label not in OF_NOBODY
        assert fresh or not is_kept, f"Give the second team a {label} too."
        for place, pk in enumerate(fresh):
            words = {
                field.name: f"{WORD}-{model.__name__}-{field.name}-{place}".lower().replace(
                    "_", "-"
                )
                for field in model._meta.concrete_fields
                if isinstance(field, models.CharField | models.TextField) and not field.choices
            }
            row = every.filter(pk=pk)
            if not words or write(row, words):
                continue
            for name, word in words.items():
                write(row, {name: word})


def write(row: models.QuerySet[Any], words: dict[str, str]) -> bool:
    """False where the database has a rule for one of them: a shorter length, a fixed form."""
    try:
        with transaction.atomic():
            row.update(**words)
    except DatabaseError:
        return False
    return True


# --- Asking ---------------------------------------------------------------------------------------


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
