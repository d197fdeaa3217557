"""Counter databases let go of hours that are old and were pulled, and no number changes."""

from __future__ import annotations

import uuid
from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from unittest import mock

import psycopg
import pytest
from django.db import OperationalError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sites import tasks
from sites.models import Account, Kind, Site, VisitCount, VisitCursor
from sites.visits import retention, sync
from sites.visits.pull import pull
from tests.factories import AccountFactory
from tests.sites.visits.conftest import (
    NOON,
    Functions,
    days,
    direct,
    hit,
    hours_by_day,
    invoked,
    source,
)

# Of these the first may be kept here as an hour, for months are kept whole; the others are not.
OLD = [NOON - timedelta(days=ago) for ago in (93, 125, 400)]


@pytest.fixture(params=["direct", "invoked"])
def reader(request, counter_url):
    return direct(counter_url) if request.param == "direct" else invoked(Functions())


@pytest.fixture
def ways(monkeypatch):
    """The readers that a sync or a prune finds."""
    found: list = []
    monkeypatch.setattr(sync, "_ways", lambda account: (found, {}))
    return found


def tomorrow() -> None:
    VisitCursor.objects.update(pruned_on=date(2000, 1, 1))


def of_source(connection, site) -> set[datetime]:
    rows = connection.execute("SELECT DISTINCT hour FROM counter.count WHERE site = %s", [site.uid])
    return {hour for (hour,) in rows.fetchall()}


def read_all(account, reader, connection) -> None:
    """A pull of which no transaction of anybody else on this server holds the position back."""
    number = connection.execute("SELECT pg_current_xact_id()::text::bigint").fetchone()[0]
    while True:
        assert pull(account, [reader]).error == ""
        if VisitCursor.objects.get(account=account).position > number:
            return


@pytest.mark.django_db(transaction=True)
def test_hours_that_were_pulled_go_and_days_stay(account, site, connection, reader, ways):
    ways.append(reader)
    for at in [*OLD, NOON]:
        for n in range(3):
            hit(connection, site, path=f"/{n}", now=at)
    read_all(account, reader, connection)
    before, told = days(site), source(connection, site)
    assert before == told

    assert sync.prune(account) > 0

    assert of_source(connection, site) == {NOON}
    assert VisitCursor.objects.get(account=account).pruned_on == datetime.now(UTC).date()
    for lost in ({}, {"position": 2**40}, {"epoch": None, "position": 0}):
        VisitCursor.objects.filter(account=account).update(**lost)
        read_all(account, reader, connection)
        assert days(site) == before
    assert not VisitCount.objects.filter(epoch=VisitCount.FORGOTTEN).exists()
    hit(connection, site, path="/0")
    read_all(account, reader, connection)
    assert days(site)[site.uid, NOON.date(), Kind.PATH, "/0"] == (2, 2, 2, 0)
    shown = connection.execute(
        "SELECT sum(pageviews) FROM counter.total WHERE site = %s", [site.uid]
    )
    assert shown.fetchone() == (13,)


@pytest.mark.django_db(transaction=True)
def test_what_was_not_pulled_stays(account, site, connection, reader, ways):
    ways.append(reader)
    hit(connection, site)
    read_all(account, reader, connection)
    hit(connection, site, now=OLD[1])

    sync.prune(account)

    assert of_source(connection, site) == {NOON, OLD[1]}
    tomorrow()
    read_all(account, reader, connection)
    told = source(connection, site)
    sync.prune(account)
    assert of_source(connection, site) == {NOON}
    assert days(site) == told


@pytest.mark.django_db(transaction=True)
def test_a_day_that_closed_half_read_is_told_whole(account, site, connection, reader, ways):
    """Pulled at noon, and then not for months; it may be pruned before it is pulled."""
    ways.append(reader)
    for hour in range(4):
        hit(connection, site, now=OLD[2] + timedelta(hours=hour))
        if hour == 1:
            read_all(account, reader, connection)
    VisitCursor.objects.update(pulled_at=OLD[2] + timedelta(hours=1))
    sync.prune(account)

    pull(account, [reader])

    told = source(connection, site)
    assert told[site.uid, OLD[2].date(), Kind.ALL, ""] == (4, 4, 4, 0)
    assert days(site) == told
    tomorrow()
    read_all(account, reader, connection)
    sync.prune(account)
    pull(account, [reader])
    assert source(connection, site) == {}
    assert days(site) == told


@pytest.mark.django_db(transaction=True)
def test_minutes_and_what_was_left_out_go_earlier(account, site, connection, reader, ways):
    ways.append(reader)
    at = NOON - timedelta(days=33)
    hit(connection, site, now=at)
    connection.execute(
        "INSERT INTO counter.count (site, hour, kind, value, slot, pageviews)"
        " VALUES (%s, %s, 0, 'limit', 0, 3)",
        [site.uid, at],
    )
    recent = NOON - timedelta(days=3)
    hit(connection, site, now=recent)
    read_all(account, reader, connection)

    sync.prune(account)

    rows = connection.execute(
        "SELECT hour, kind FROM counter.count WHERE site = %s ORDER BY 1, 2", [site.uid]
    ).fetchall()
    # The minutes of a month ago were not asked for in time: they go with their hour.
    assert rows == [(at, kind) for kind in range(1, 8)] + [
        (recent, kind) for kind in (1, 2, 3, 4, 5, 7)
    ]


def test_once_a_day_and_by_whoever_can(account, site, connection, counter_url, ways):
    class Counted:
        def __init__(self, reader):
            self.reader, self.name, self.asked = reader, reader.name, 0

        def prune(self, read, span):
            self.asked += 1
            return self.reader.prune(read, span)

    away, here = Counted(direct("postgresql://nobody@127.0.0.1:1/x")), Counted(direct(counter_url))
    ways.extend([away, here])
    assert sync.prune(account) == 0  # nothing was pulled yet
    hit(connection, site)
    pull(account, [here.reader])

    for _ in range(2):
        sync.prune(account)
    assert (away.asked, here.asked) == (1, 3)

    tomorrow()
    del ways[1]
    sync.prune(account)
    assert VisitCursor.objects.get(account=account).pruned_on == date(2000, 1, 1)


def test_a_lot_goes_in_steps(account, site, connection, counter_url, ways, monkeypatch):
    ways.append(direct(counter_url))
    hit(connection, site)
    pull(account, ways)
    monkeypatch.setattr(sync, "PRUNED", 2)
    monkeypatch.setattr(sync, "STEPS", 3)
    prune = mock.Mock(return_value=2)
    monkeypatch.setattr(type(ways[0]), "prune", prune)

    assert sync.prune(account) == 6
    assert VisitCursor.objects.get(account=account).pruned_on is None
    prune.return_value = 1
    assert sync.prune(account) == 3
    assert VisitCursor.objects.get(account=account).pruned_on is not None


def test_a_function_that_does_not_know_how_is_no_failure(account, site, connection, ways, reader):
    hit(connection, site)
    pull(account, [reader])
    ways.append(invoked(Functions(answer=b"null")))

    assert sync.prune(account) == 0


def test_beat_has_every_account_pruned_that_was_pulled(db, monkeypatch):
    AccountFactory()
    cursor = VisitCursor.objects.create(account=AccountFactory())
    delay = mock.create_autospec(tasks.prune_visits_of_account.delay)
    monkeypatch.setattr(tasks.prune_visits_of_account, "delay", delay)
    tidy = mock.create_autospec(retention.tidy, side_effect=OperationalError)
    monkeypatch.setattr(retention, "tidy", tidy)
    with pytest.raises(OperationalError):  # trouble here is none there
        tasks.tidy_visits()
    delay.assert_called_once_with(cursor.account_id)
    tasks.prune_visits_of_account(cursor.account_id)
    tasks.prune_visits_of_account(0)  # gone meanwhile


@given(day=st.dates(date(2000, 1, 1), date(2100, 1, 1)))
def test_what_is_spent_there_is_no_longer_of_use_here(day):
    """Or a pull would bring again, from nought, what it does not find."""
    for span in retention.spent(day):
        kinds = Kind if span.kind is None else [span.kind]
        for kind in kinds:
            told = retention.KEPT_DAYS.get(kind, retention.KEPT_DAYS[Kind.ALL])
            assert span.before <= datetime.combine(day - timedelta(days=told), time(), UTC)


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("hit"), st.sampled_from([0, 1]), st.sampled_from(["/", "/a"])),
        st.tuples(st.just("sync"), st.sampled_from([None, 3])),
        st.tuples(st.just("prune"), st.sampled_from([None, 3])),
        st.tuples(st.just("lost"), st.sampled_from([0, 2**40])),
    ),
    max_size=10,
)


@pytest.mark.django_db(transaction=True)
@settings(
    max_examples=settings().max_examples // 5,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    deadline=None,
)
@given(old=st.lists(st.sampled_from(OLD), max_size=4), actions=ACTIONS)
def test_whatever_goes_in_whatever_order_days_are_what_was_hit(
    counter_url, ways, monkeypatch, old, actions
):
    account = Account.objects.create(name=str(uuid.uuid4()), aws_account_id="123456789012")
    site = Site.objects.create(name=uuid.uuid4().hex, account=account)
    model: Counter[tuple[date, str]] = Counter()
    with psycopg.connect(counter_url, autocommit=True) as session:

        def visit(at: datetime, path: str) -> None:
            hit(session, site, path=path, now=at)
            model[at.date(), path] += 1

        for at in old:
            visit(at, "/")
        for action in [*actions, ("sync", None), ("prune", None), ("lost", 0), ("sync", None)]:
            match action:
                case "hit", hours, path:
                    visit(NOON + timedelta(hours=hours), path)
                case "sync", limit:
                    way = invoked(Functions(url=counter_url), limit) if limit else None
                    assert pull(account, [way or direct(counter_url)]).error == ""
                case "prune", limit:
                    ways[:] = [direct(counter_url)]
                    monkeypatch.setattr("sites.visits.readers.PRUNED", limit or 1000)
                    monkeypatch.setattr(sync, "PRUNED", limit or 1000)
                    tomorrow()
                    sync.prune(account)
                case "lost", position:
                    VisitCursor.objects.filter(account=account).update(position=position)
        told = {key[1::2]: sums for key, sums in days(site).items() if key[2] == Kind.PATH}
        assert told == {key: (n, n, n, 0) for key, n in model.items()}
        closed = {at.date() for at in OLD}
        recent = {key: sums for key, sums in days(site).items() if key[1] not in closed}
        assert {k: v for k, v in hours_by_day(site).items() if k[1] not in closed} == recent
