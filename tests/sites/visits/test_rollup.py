"""Whatever happens to counters and syncs, in whatever order, the numbers agree."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

import psycopg
import pytest
from django.db import connection as own
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sites.models import Account, Kind, OverallDay, Site, VisitCount, VisitDay
from sites.visits.pull import pull
from sites.visits.readers import Reader
from tests.factories import VisitDayFactory
from tests.lambda_src.counter.containers import migrated_database
from tests.localcloud.conftest import eventually
from tests.sites.visits.conftest import (
    NOON,
    Functions,
    days,
    direct,
    hit,
    hours_by_day,
    invoked,
    overall,
    source,
)


class Killed(BaseException):
    pass


@contextmanager
def killed_at(step):
    """The process dies at this statement of the sync."""
    seen = 0

    def kill(execute, sql, params, many, context):
        nonlocal seen
        seen += 1
        if seen == step:
            raise Killed
        return execute(sql, params, many, context)

    try:
        with own.execute_wrapper(kill):
            yield
    except Killed:
        pass


def assert_overall() -> None:
    kept, summed = overall()
    assert kept == summed


# Of a page, where a function reads; the worker itself has none.
LIMITS = st.sampled_from([None, None, None, 3, 8])
PATHS = st.sampled_from(["/", "/about", "/ä?“"])
HOURS = st.sampled_from([0, 1, 11, 12, -24, -24 * 130])  # the last: a day that is closed
ACTIONS = st.one_of(
    st.tuples(st.just("hit"), PATHS, HOURS, st.booleans()),
    st.tuples(st.just("begin"), PATHS, HOURS),
    st.tuples(st.just("commit")),
    st.tuples(st.just("sync"), LIMITS),
    st.tuples(st.just("killed"), st.integers(1, 25)),
)


def reader_of(url: str, limit: int | None) -> Reader:
    return invoked(Functions(url=url), limit) if limit else direct(url)


class Counter:
    """A counter database with one session that commits late."""

    def __init__(self, url: str, site: Site) -> None:
        self.url, self.site = url, site
        self.session = psycopg.connect(url, autocommit=True)
        self.slow = psycopg.connect(url)
        self.other = Site(uid=uuid.uuid4())
        hit(self.session, self.other)  # nobody waits for the other's salt of the day

    def close(self) -> None:
        self.slow.close()
        self.session.close()

    def do(self, account, action) -> None:
        match action:
            case "hit", path, hours, is_bot:
                self.slow.commit()  # of one site, transactions take turns
                hit(
                    self.session,
                    self.site,
                    path=path,
                    is_bot=is_bot,
                    now=NOON + timedelta(hours=hours),
                )
            case "begin", path, hours:
                hit(self.slow, self.site, path=path, now=NOON + timedelta(hours=hours))
            case ("commit",):
                self.slow.commit()
            case "sync", limit:
                assert pull(account, [reader_of(self.url, limit)]).error == ""
            case "killed", step:
                with killed_at(step), transaction.atomic():
                    pull(account, [direct(self.url)])


@pytest.mark.django_db(transaction=True)
@settings(
    max_examples=settings().max_examples // 5,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    deadline=None,
)
@given(actions=st.lists(ACTIONS, max_size=14))
def test_any_sequence_of_hits_and_syncs_ends_with_the_same_sums(counter_url, actions):
    account = Account.objects.create(name=str(uuid.uuid4()), aws_account_id="123456789012")
    site = Site.objects.create(name=uuid.uuid4().hex, account=account)
    counter = Counter(counter_url, site)
    try:
        totals = [0]
        for action in actions:
            counter.do(account, action)
            totals.append(sum(d[0] for key, d in days(site).items() if key[2] == Kind.ALL))
        counter.slow.commit()
        pull(account, [direct(counter_url)])

        assert days(site) == source(counter.session, site)
        assert totals == sorted(totals), "a total went back"
        closed = (NOON - timedelta(hours=24 * 130)).date()
        kept = {key: sums for key, sums in days(site).items() if key[1] != closed}
        assert hours_by_day(site) == kept
        assert_overall()
    finally:
        counter.close()


RESETS = st.lists(
    st.one_of(
        st.tuples(st.just("hit"), PATHS, st.sampled_from([0, 1]), st.booleans()),
        st.tuples(st.just("sync"), LIMITS),
        st.tuples(st.just("new")),
        st.tuples(st.just("snapshot")),
        st.tuples(st.just("restore")),
    ),
    max_size=12,
)
SNAPSHOT = """
    DROP TABLE IF EXISTS counter.snapshot;
    CREATE TABLE counter.snapshot AS SELECT * FROM counter.count
"""
RESTORE = """
    TRUNCATE counter.count, counter.visitor, counter.hit;
    INSERT INTO counter.count SELECT * FROM counter.snapshot
"""


@pytest.fixture(scope="module")
def databases():
    with migrated_database() as first, migrated_database() as second:
        yield [first, second]


@pytest.mark.django_db(transaction=True)
@settings(
    max_examples=settings().max_examples // 5,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    deadline=None,
)
@given(actions=RESETS)
def test_nothing_that_was_read_is_lost_when_a_counter_begins_again(databases, actions):
    """New databases, snapshots and their restoring, and back to a database of before: no number
    goes down, days are what their hours are, and each is at least what the source tells now."""
    account = Account.objects.create(name=str(uuid.uuid4()), aws_account_id="123456789012")
    site = Site.objects.create(name=uuid.uuid4().hex, account=account)
    urls = list(databases)
    sessions = {url: psycopg.connect(url, autocommit=True) for url in urls}
    for session in sessions.values():
        session.execute(RESTORE.replace("INSERT", "-- INSERT"))
        session.execute(SNAPSHOT)
    try:
        before: dict = {}
        for action in actions:
            match action:
                case "hit", path, hours, is_bot:
                    at = NOON + timedelta(hours=hours)
                    hit(sessions[urls[0]], site, path=path, is_bot=is_bot, now=at)
                case ("new",):
                    urls.reverse()
                case ("snapshot",):
                    sessions[urls[0]].execute(SNAPSHOT)
                case ("restore",):
                    sessions[urls[0]].execute(RESTORE)
                case "sync", limit:
                    assert pull(account, [reader_of(urls[0], limit)]).error == ""
                    after = days(site)
                    assert after == hours_by_day(site)
                    for key, sums in (before | source(sessions[urls[0]], site)).items():
                        assert all(a >= b for a, b in zip(after[key], sums, strict=True))
                    before = after
        assert_overall()
    finally:
        for session in sessions.values():
            session.close()


def test_all_sites_together_are_the_sum_of_each(account, site):
    other = VisitDayFactory(value="", pageviews=5).site
    day = VisitDayFactory(site=site, pageviews=3)
    VisitDayFactory(site=site, kind=Kind.PATH, value="/")
    assert_overall()
    [whole] = OverallDay.objects.values_list("kind", "day", "pageviews", "visits")
    assert whole == (Kind.ALL, day.day, 8, 2)

    VisitDay.objects.filter(pk=day.pk).update(pageviews=7)
    assert OverallDay.objects.get().pageviews == 12
    other.delete()
    assert OverallDay.objects.get().pageviews == 7
    assert_overall()


GATE = """
    CREATE FUNCTION gate() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_advisory_xact_lock_shared(1);
        RETURN NULL;
    END $$;
    CREATE TRIGGER overall_update_gate AFTER UPDATE ON sites_visitday
        FOR EACH STATEMENT EXECUTE FUNCTION gate()
"""
# Of a site, as a pull writes them.
HITS = """
    INSERT INTO sites_visitday AS d (site_id, kind, day, value, pageviews, visits, visitors, bots)
    SELECT %s, k.kind, %s, k.value, 1, 1, 1, 0
    FROM (VALUES (2, 'example.org'), (7, '')) AS k (kind, value)
    ON CONFLICT (site_id, day, kind, value) DO UPDATE SET pageviews = d.pageviews + 1
"""


@pytest.fixture
def gate(transactional_db):
    """Shut: who has updated days, and will insert some in the same statement, waits before it."""
    with own.cursor() as cursor:
        cursor.execute(GATE)
        cursor.execute("SELECT pg_advisory_lock(1)")
        yield lambda: cursor.execute("SELECT pg_advisory_unlock(1)")
        cursor.execute("SELECT pg_advisory_unlock_all()")
        cursor.execute("DROP FUNCTION gate CASCADE")


def test_two_accounts_whose_days_cross_each_other_both_get_in(site, gate):
    """Each updates what is new to the other."""
    day = VisitDayFactory(site=site, value="").day
    other = VisitDayFactory(kind=Kind.REFERRER, value="example.org", day=day).site

    def write(of: Site) -> None:
        try:
            with own.cursor() as cursor:
                cursor.execute(HITS, [of.pk, day])
        finally:
            own.close()

    with ThreadPoolExecutor() as pool:
        try:
            writers = [pool.submit(write, site)]
            eventually(lambda: waiting() == 1)
            writers.append(pool.submit(write, other))
            eventually(lambda: waiting() == 2)
        finally:
            gate()
        for writer in writers:
            writer.result()

    assert_overall()


def waiting() -> int:
    with own.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return int(cursor.fetchone()[0])


def test_no_row_is_negative(db):
    """The database itself refuses it, whoever writes."""
    with own.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_constraint WHERE contype = 'c' AND conrelid IN"
            " (%s::regclass, %s::regclass) AND pg_get_constraintdef(oid) LIKE %s",
            [VisitCount._meta.db_table, VisitDay._meta.db_table, "CHECK (%>= 0)%"],
        )
        assert cursor.fetchone()[0] == 10
