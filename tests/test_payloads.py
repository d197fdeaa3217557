"""Text that attacks whoever shows it does nothing, in a page, an export or on a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import DatabaseError, models, transaction
from django.test import Client
from django.utils import timezone

from deployments.models import Deployment, Invalidation
from sites.models import Account, Kind, Operation, Resource, Site, VisitCursor
from tests.factories import VisitDayFactory
from tests.looks.rows import Rows, furnish
from tests.looks.walker import addresses

MARKUP = "<script>alert(1)</script><img src=x onerror=alert(2)>"
ATTRIBUTE = "\" onmouseover=alert(3) x='"
TURNED = "a\u202eexe.txt\u2066b"
TERMINAL = "\x1b[2J\x1b]0;owned\x07c\u009b31m"
FORMULA = "=HYPERLINK(1)"
PAYLOAD = f"{FORMULA} {MARKUP} {ATTRIBUTE} {TURNED} {TERMINAL}"
SHORT = f"{FORMULA}<img src=x onerror=alert(2)>\u202e"

# What an interpreter of HTML, of writing directions or of a terminal would act upon.
ACTS = ("<script>alert", "<img src=x", '" onmouseover=', "\u202e", "\u2066", "\x1b", "\u009b")

# Columns of a fixed form: checked when they come in, made by us, or a secret.
FORMED = {
    *("name of sites.site", "name of sites.domain", "logical_id", "type", "region", "role_arn"),
    *("aws_account_id", "counter_host", "counter_database", "counter_user", "visitors_token"),
    *("digest", "previous", "plan_checksum", "secret", "address", "body_sha256", "generation"),
    *("kind", "table", "act", "username of auth.user", "email", "password", "chosen"),
}


def poison(rows: Rows) -> None:
    """Whatever visitors, repositories, archives, AWS, listeners and colleagues can put there."""
    VisitCursor.objects.create(account=Account.objects.get())
    for model in apps.get_models():
        if model._meta.app_label in ("sites", "deployments", "auth"):
            for field in model._meta.concrete_fields:
                if is_free(field):
                    fill(model, field)
    waits = [{"what": PAYLOAD, "why": PAYLOAD, "todo": PAYLOAD, "last_seen": PAYLOAD}]
    Operation.objects.update(waits=waits)
    Deployment.objects.update(warnings=[PAYLOAD])
    Invalidation.objects.update(paths=[f"/{PAYLOAD}"])
    hangs = Resource.objects.filter(site__name="garden-club")
    hangs.update(waiting_since=timezone.now() - timedelta(days=3), is_ready=False)
    VisitDayFactory(
        site=rows.of["sites.site"], kind=Kind.REFERRER, value=PAYLOAD, pageviews=9, visits=9
    )


def is_free(field: models.Field[Any, Any]) -> bool:
    is_text = type(field) in (models.CharField, models.TextField)
    names = {field.name, f"{field.name} of {field.model._meta.label_lower}"}
    return is_text and not field.choices and not field.primary_key and not names & FORMED


def fill(model: type[models.Model], field: models.Field[Any, Any]) -> None:
    """Every row where that may be, else the first."""
    longest = getattr(field, "max_length", None) or 1_000
    text = PAYLOAD if len(PAYLOAD) <= longest else SHORT[:longest]
    every = model._default_manager.all()
    row = every.first()
    if row is None:
        return
    first = every.filter(pk=row.pk)
    for found in (every, first):
        try:
            with transaction.atomic():
                found.update(**{field.name: text})
        except DatabaseError:
            continue
        return


@pytest.fixture
def rows(db: None) -> Rows:
    rows = furnish()
    poison(rows)
    return rows


@pytest.fixture
def person(rows: Rows) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(rows.person)
    return client


def pages(client: Client, rows: Rows) -> Iterator[tuple[str, str]]:
    """The name and text of everything that is answered."""
    for name, path in addresses(rows)[0].items():
        if name.endswith("logout"):
            continue
        response = client.get(path)
        if response.get("Content-Type", "").startswith("text/html"):
            yield name, b"".join(response).decode()


def test_no_page_acts_upon_what_others_wrote(person, rows):
    seen = dict(pages(person, rows))
    acting = {
        name: [each for each in ACTS if each in page]
        for name, page in seen.items()
        if any(each in page for each in ACTS)
    }
    assert acting == {}
    # It is there, escaped: else nothing was tried.
    tried = [name for name, page in seen.items() if "&lt;img src=x" in page]
    assert {"admin:index", "admin:deployments_deployment_changelist"} < set(tried)
    assert len(tried) > 20


def test_no_export_has_a_formula_of_others(person, rows):
    for name, path in addresses(rows)[0].items():
        response = person.get(path) if "export" in name else None
        if response is not None and response.get("Content-Type", "").startswith("text/csv"):
            cells = b"".join(response).decode().replace('"', "").replace("\n", ",").split(",")
            assert not [cell for cell in cells if cell.startswith(FORMULA)], name


def test_no_command_lets_the_terminal_act(rows):
    site = Site.objects.get(pk=rows.of["sites.site"].pk)
    for command in (
        ["site_status", site.name],
        ["check_drift", site.name],
        ["previews", site.name],
    ):
        out = StringIO()
        with suppress(CommandError):  # its words go through the same door
            call_command(*command, stdout=out, stderr=out)
        assert not set("\x1b\u009b\u202e\u2066") & set(out.getvalue()), command
