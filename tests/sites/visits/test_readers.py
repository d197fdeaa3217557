from __future__ import annotations

import uuid
from typing import Any

import psycopg
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from django.db import connection as own
from django.db import transaction

from sites.models import VisitCursor
from sites.visits import readers, rollup
from sites.visits import sync as finding
from sites.visits.pull import pull
from sites.visits.readers import Batch, Mark, Row, Unreadable, pages
from tests.factories import ResourceFactory, SiteFactory
from tests.lambda_src.counter.containers import migrated_database
from tests.sites.visits.conftest import Functions, days, direct, hit, invoked, source

START = Mark(None, 0)


def rows(reader, since=START) -> list[Row]:
    """What it stages, in the order in which it does."""
    with transaction.atomic(), rollup.Stage() as stage, own.cursor() as cursor:
        reader.read(since, stage)
        cursor.execute("SELECT * FROM pulled ORDER BY ctid")
        found = [Row(*row) for row in cursor.fetchall()]
        assert stage.rows == len(found)
        return found


@pytest.fixture
def hits(site, connection):
    for number in range(5):
        hit(connection, site, path=f"/{number} “é”", is_bot=number == 4)


@pytest.mark.parametrize("limit", [1, 2, 7, 1000])
def test_both_readers_give_the_same_rows_whatever_the_pages(hits, site, counter_url, limit):
    whole = rows(direct(counter_url))

    assert [row for row in whole if row.site == site.uid]
    functions = Functions()
    assert rows(invoked(functions, limit)) == whole
    assert all(asked["limit"] == limit for asked in functions.asked)
    assert len(functions.asked) >= len(whole) / limit


def test_both_readers_begin_where_the_other_ended(hits, site, account, connection, reader):
    functions = Functions()
    readers = [reader, invoked(functions)]
    for number in range(4):
        hit(connection, site, path=f"/more/{number}")
        assert pull(account, [readers[number % 2]]).error == ""
        assert days(site) == source(connection, site)
    assert [asked["epoch"] for asked in functions.asked] == [
        str(VisitCursor.objects.get().epoch),
    ] * 2


def test_what_changes_between_two_pages_is_read_the_next_time(site, account, connection, reader):
    """Each page of a function is of a snapshot of its own; the cursor is of the first."""
    for number in range(4):
        hit(connection, site, path=f"/{number}")

    class Meanwhile(Functions):
        def invoke(self, **call: Any) -> dict[str, Any]:
            answer = super().invoke(**call)
            if len(self.asked) % 2:
                hit(connection, site, path=f"/{len(self.asked)}")
            return answer

    pull(account, [invoked(Meanwhile(), 3)])
    pull(account, [reader])

    assert days(site) == source(connection, site)


def asking(*batches: Batch):
    """A database that answers so, page by page; and what it was asked."""
    asked = []
    answers = iter(batches)

    def ask(since, after):
        asked.append((since, after))
        return next(answers)

    return ask, asked


def test_from_the_start_goes_on_from_the_start(site, connection, reader, hits):
    """The snapshots of later pages may have passed the position, which meant nothing."""
    [first, *_] = rows(reader)
    epoch = uuid.uuid4()
    ask, asked = asking(
        Batch(Mark(epoch, 90), [first], more=True), Batch(Mark(epoch, 110), [], more=False)
    )

    list(pages(ask, Mark(epoch, 100)))

    assert asked == [(Mark(epoch, 100), None), (Mark(epoch, 0), first.key)]


def test_a_database_that_is_replaced_meanwhile_is_told(hits, reader):
    [first, *_] = rows(reader)
    ask, _ = asking(
        Batch(Mark(uuid.uuid4(), 1), [first], more=True),
        Batch(Mark(uuid.uuid4(), 1), [first], more=True),
    )

    with pytest.raises(Unreadable, match="was replaced while it was read"):
        list(pages(ask, START))


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "Invoke")


@pytest.mark.parametrize(
    ("functions", "why"),
    [
        (Functions(error=refusal("TooManyRequestsException")), "counter is busy: as many"),
        (Functions(error=refusal("AccessDenied")), "counter could not be called .* no. The next"),
        (Functions(error=EndpointConnectionError(endpoint_url="x")), "could not be called"),
        (Functions(answer=b"{}"), "gave no answer that can be read: KeyError"),
        (Functions(answer=b"null"), "gave no answer that can be read: TypeError"),
        (Functions(answer=b"<html>"), "could not be called"),
        (Functions(answer=b'{"epoch": "x", "rows": []}'), "Provision the site again"),
    ],
)
def test_a_function_that_cannot_read_is_explained(account, functions, why):
    with pytest.raises(Unreadable, match=why):
        rows(invoked(functions))
    assert pull(account, [invoked(functions)]).error


def test_what_the_function_says_is_told(db, environment, monkeypatch):
    monkeypatch.setenv("DATABASE_PORT", "1")

    with pytest.raises(Unreadable, match="function counter could not read .* refused"):
        rows(invoked(Functions()))


def test_whoever_can_read_is_asked_first_the_next_time(account, site, connection, counter_url):
    """Where the database does not let the worker in, a function reads for it."""
    hit(connection, site)
    closed = direct("postgresql://nobody@127.0.0.1:1/counter")

    assert pull(account, [closed, invoked(Functions())]).error == ""

    cursor = VisitCursor.objects.get()
    assert (cursor.reader, cursor.error_message) == ("invoked", "")
    assert days(site) == source(connection, site)
    broken = invoked(Functions(error=refusal("AccessDenied")))
    error = pull(account, [broken, closed]).error
    assert "could not be called" in error
    assert "127.0.0.1:1 could not be read" in error
    assert VisitCursor.objects.get().reader == "invoked"


def function(site, name, host="127.0.0.1", *, code="code", is_ready=True) -> None:
    where = {"HOST": host, "PORT": "1", "NAME": "counter", "USER": "cloudadmin"}
    environment = {f"DATABASE_{key}": value for key, value in where.items()}
    ResourceFactory(
        site=site,
        account=site.account,
        logical_id="lambda_function",
        physical_id=name,
        is_ready=is_ready,
        inputs={"environment": environment, "code_sha256": code},
    )


def told(ways) -> list[str]:
    """The host of each database, and the name of each function."""
    return [
        way.database.host if isinstance(way, readers.Direct) else way.function_name for way in ways
    ]


@pytest.mark.parametrize("reader", VisitCursor.Reader.values)
def test_the_ways_to_a_database_are_found(account, site, monkeypatch, settings, reader):
    settings.AWS_ENDPOINT_URL = "http://127.0.0.1:1"
    assert finding.sync(account).rows == 0  # no database, nothing to pull
    ResourceFactory(
        site=None,
        account=account,
        logical_id="db_instance",
        attributes={
            "endpoint_address": "127.0.0.1",
            "endpoint_port": 1,
            "database_name": "counter",
            "user": "cloudadmin",
        },
    )
    function(site, "cloudadmin-x-counter")
    VisitCursor.objects.create(account=account, reader=reader)

    error = finding.sync(account).error

    told = [error.find("The counter database at 127.0.0.1:1"), error.find("cloudadmin-x-counter")]
    assert -1 not in told
    assert (told == sorted(told)) == (reader == VisitCursor.Reader.DIRECT)


def test_what_functions_of_before_count_in_is_read_apart(account, site, settings):
    settings.AWS_ENDPOINT_URL = "http://127.0.0.1:1"
    account.counter_host, account.counter_port = "127.0.0.1", 1
    account.counter_database = "counter"
    account.counter_instance = {"resource_id": "db-1", "subnet_ids": [], "security_group_ids": []}
    account.save()
    for name, host in (("moved", "127.0.0.1"), ("stays", "elsewhere")):
        function(SiteFactory(account=account), name, host)

    ways, former = finding._ways(account)

    assert told(ways) == ["127.0.0.1", "moved"]
    assert [*former] == ["elsewhere:1/counter"]
    assert told(former["elsewhere:1/counter"]) == ["elsewhere", "stays"]


def test_functions_of_every_version_are_asked(account, site, settings):
    """The newest sites are not the ones that were provisioned last."""
    settings.AWS_ENDPOINT_URL = "http://127.0.0.1:1"
    account.counter_host, account.counter_port = "127.0.0.1", 1
    account.counter_database = "counter"
    account.counter_instance = {"resource_id": "db-1", "subnet_ids": [], "security_group_ids": []}
    account.save()
    for code in ("new", "old"):
        for number in range(4):
            name = f"{code}-{number}"
            function(SiteFactory(account=account), name, code=code, is_ready=number < 3)

    ways, _ = finding._ways(account)

    assert told(ways) == ["127.0.0.1", "old-2", "old-1", "new-2", "new-1"]


def test_an_epoch_is_needed(db, connection):
    with migrated_database() as url, psycopg.connect(url, autocommit=True) as own:
        own.execute("DELETE FROM counter.epoch")
        with pytest.raises(Unreadable, match="it has no epoch"):
            rows(direct(url))


def test_a_database_that_goes_while_it_is_read_leaves_nothing(
    account, site, connection, reader, monkeypatch
):
    """After many rows the source fails: what came is not kept, and the next pull has it all."""
    hit(connection, site)
    broken = """COPY (SELECT gen_random_uuid(), now(), 7::int2, ''::varchar, (1 / n)::int8, 0::int8,
        0::int8, 0::int8 FROM generate_series(20000, 0, -1) n) TO STDOUT (FORMAT binary)"""
    with monkeypatch.context() as patch:
        patch.setattr(readers, "_copy", lambda: broken.encode())
        pulled = pull(account, [reader])
    assert pulled.rows == 0
    assert "could not be read: division by zero" in pulled.error
    assert (days(site), VisitCursor.objects.get().position) == ({}, 0)

    assert pull(account, [reader]).error == ""
    assert days(site) == source(connection, site)
