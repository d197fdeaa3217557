"""Questions about visits: each is one query, and their answers agree with each other."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sites.models import Kind, Site, VisitCount, VisitDay
from sites.visits import query
from sites.visits.query import Range, Sums
from sites.visits.ranges import NAMES, Step, midnight

DAY = timedelta(days=1)


def today():
    return datetime.now(UTC).date()


def hour_now():
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0)


def add_day(site, ago=0, kind=Kind.ALL, value="", pageviews=1, visits=1, visitors=1, bots=0):
    VisitDay.objects.create(
        site=site,
        day=today() - ago * DAY,
        kind=kind,
        value=value,
        pageviews=pageviews,
        visits=visits,
        visitors=visitors,
        bots=bots,
    )


def add_hour(site, hour, kind=Kind.ALL, value="", pageviews=1, epoch=0):
    VisitCount.objects.create(
        site=site,
        hour=hour,
        kind=kind,
        value=value,
        epoch=epoch,
        pageviews=pageviews,
        visits=1,
        visitors=1,
    )


@pytest.fixture
def quiet(account):
    return Site.objects.create(name="quiet", account=account)


def test_totals_take_one_query(site, quiet, django_assert_num_queries):
    add_day(site, pageviews=3)
    add_day(site, kind=Kind.PATH, value="/", pageviews=3)
    add_day(site, ago=400, pageviews=5, bots=100)

    with django_assert_num_queries(1):
        assert query.totals([site, quiet]) == {site.pk: 8, quiet.pk: 0}
    assert query.total(site) == 8
    assert query.totals([]) == {}


def test_the_first_day_is_of_one_site_or_of_all(site, quiet):
    assert query.first_day() is None
    add_day(site, ago=3)
    add_day(quiet, ago=9)
    assert query.first_day([site]) == today() - 3 * DAY
    assert query.first_day() == today() - 9 * DAY


def test_a_line_has_every_day_today_last(site, quiet, django_assert_num_queries):
    add_day(site, pageviews=7, visits=2, bots=1)
    add_day(site, ago=2, pageviews=5)
    add_day(site, ago=7, pageviews=100)
    add_day(quiet, pageviews=1000)

    with django_assert_num_queries(1):
        points = query.series([site], Range.parse("7d"))

    assert [point.at.date() for point in points] == [today() - n * DAY for n in range(6, -1, -1)]
    assert [point.pageviews for point in points] == [0, 0, 0, 0, 5, 0, 7]
    assert points[-1] == (midnight(today()), 7, 2, 1, 1)


def test_a_line_of_hours_ends_now_and_adds_up_epochs(site):
    add_hour(site, hour_now(), pageviews=3)
    add_hour(site, hour_now(), pageviews=4, epoch=1)
    add_hour(site, hour_now() - timedelta(hours=23), pageviews=2)
    add_hour(site, hour_now() - timedelta(hours=24), pageviews=100)
    asked = Range.parse("24h")

    points = query.series([site], asked)

    assert len(points) == 24
    assert (points[0].pageviews, points[-1].pageviews) == (2, 7)
    assert points[-1].at == hour_now()
    if not asked.is_whole_days:
        assert query.sums([site], asked).pageviews == 9


def test_hours_to_come_are_not_in_a_line(site):
    points = query.series([site], Range(today(), today()))
    assert points[-1].at == hour_now()


def test_of_hours_that_are_gone_the_days_are_left(site):
    first = today() - 200 * DAY
    add_day(site, ago=200, pageviews=4)
    (point,) = query.series([site], Range(first, first))
    assert point == (midnight(first), 4, 1, 1, 0)


def test_a_long_line_has_months(site):
    add_day(site, ago=0, pageviews=2)
    add_day(site, ago=1000, pageviews=3)
    points = query.series([site], Range(today() - 1000 * DAY, today()))
    assert (points[0].pageviews, points[-1].pageviews) == (3, 2)
    assert 33 <= len(points) <= 35


def test_rows_are_ordered_limited_and_shared(site, django_assert_num_queries):
    for path, pageviews, ago in (("/c", 2, 0), ("/b", 3, 0), ("/a", 2, 0), ("/a", 3, 1)):
        add_day(site, ago, Kind.PATH, path, pageviews)
    add_day(site, 30, Kind.PATH, "/c", 100)
    add_day(site, 0, Kind.PATH, "/robots-alone", 0, 0, 0, bots=9)
    asked = Range.parse("30d")

    with django_assert_num_queries(1):
        rows = query.top([site], asked, Kind.PATH)

    assert [(row.value, row.pageviews, row.share) for row in rows] == [
        ("/a", 5, 0.5),
        ("/b", 3, 0.3),
        ("/c", 2, 0.2),
    ]
    assert query.top([site], asked, Kind.PATH, 1, offset=1) == [rows[1]]
    assert query.top([site], asked, Kind.PATH, offset=3) == []


def test_referrers_are_ordered_by_visits(site):
    add_day(site, 0, Kind.REFERRER, "", pageviews=90, visits=1)
    add_day(site, 0, Kind.REFERRER, "news.example", pageviews=9, visits=9)
    rows = query.top([site], Range.parse("7d"), Kind.REFERRER)
    assert [(row.value, row.share) for row in rows] == [("news.example", 0.9), ("", 0.1)]


def test_sites_are_ordered_by_visits(site, quiet, django_assert_num_queries):
    add_day(site, visits=1, pageviews=9)
    add_day(quiet, visits=3, pageviews=3)
    with django_assert_num_queries(1):
        rows = query.by_site(Range.parse("30d"))
    assert [(row.site_id, row.name, row.share) for row in rows] == [
        (quiet.pk, "quiet", 0.75),
        (site.pk, "shop", 0.25),
    ]
    assert [row.name for row in query.by_site(Range.parse("30d"), 1, offset=1)] == ["shop"]


def test_the_last_hour_has_every_minute_this_one_last(site, django_assert_num_queries):
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    for at, pageviews in (
        (now, 3),
        (now - timedelta(minutes=59), 2),
        (now - timedelta(hours=1), 9),
    ):
        add_hour(site, at.replace(minute=0), Kind.MINUTE, f"{at.minute:02}", pageviews)

    with django_assert_num_queries(1):
        points = query.live(site)

    by_minute = {point.at: point.pageviews for point in points if point.pageviews}
    # Unless a minute began meanwhile.
    assert by_minute[now] == 3
    assert len(points) == 60
    assert points[-1].at - points[0].at == timedelta(minutes=59)
    assert now - timedelta(hours=1) not in by_minute


def test_reasons_are_counted_apart(site):
    add_day(site, 0, Kind.LEFT_OUT, "limit", pageviews=8, visits=0)
    add_day(site, 0, Kind.LEFT_OUT, "own", pageviews=2, visits=0)
    rows = query.left_out(site, Range.parse("7d"))
    assert [(row.value, row.pageviews, row.share) for row in rows] == [
        ("limit", 8, 0.8),
        ("own", 2, 0.2),
    ]


counts = st.integers(0, 10**12)
rows_of_days = st.dictionaries(
    st.tuples(
        st.integers(0, 1),
        st.integers(0, 500),
        st.sampled_from([Kind.PATH, Kind.REFERRER, Kind.ALL]),
        st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=3),
    ).map(lambda key: (*key[:3], "" if key[2] == Kind.ALL else key[3])),
    st.tuples(counts, counts, counts, counts),
    max_size=20,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(rows_of_days, st.sampled_from(sorted(set(NAMES) - {"24h"})))
def test_answers_agree_with_each_other_and_with_the_rows(site, quiet, rows, words):
    with transaction.atomic():
        for (which, ago, kind, value), sums in rows.items():
            add_day((site, quiet)[which], ago, kind, value, *sums)
        asked = Range.parse(words, first_day=query.first_day())
        in_range: Counter[tuple] = Counter()
        for (which, ago, kind, _), sums in rows.items():
            if today() - ago * DAY >= asked.first:
                in_range.update({(which, kind, n): each for n, each in enumerate(sums)})
        for (_, kind, n), each in list(in_range.items()):
            in_range[None, kind, n] += each
        for which, sites in ((0, [site]), (1, [quiet]), (None, None)):
            expected = Sums(*(in_range[which, Kind.ALL, n] for n in range(4)))
            assert query.sums(sites, asked) == expected
            for step in (Step.DAY, Step.MONTH):
                points = query.series(sites, asked, step)
                assert (
                    Sums(*map(sum, zip(*(point[1:] for point in points), strict=True))) == expected
                )
            for kind, measure in ((Kind.PATH, 0), (Kind.REFERRER, 1)):
                found = query.top(sites, asked, kind, limit=None)
                assert all(0 <= row.share <= 1 for row in found)
                assert sum(row.pageviews for row in found) == in_range[which, kind, 0]
                if any(row[measure + 1] for row in found):
                    assert sum(row.share for row in found) == pytest.approx(1)
        transaction.set_rollback(True)
