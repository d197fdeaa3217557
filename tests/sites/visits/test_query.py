from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sites.models import Site, VisitCount
from sites.visits import query


def add(site, *, ago=0, path="/", pageviews=1, visits=1, bots=0):
    VisitCount.objects.create(
        site=site,
        date=datetime.now(UTC).date() - timedelta(days=ago),
        path=path,
        pageviews=pageviews,
        visits=visits,
        bots=bots,
    )


def test_totals_take_one_query(account, site, django_assert_num_queries):
    quiet = Site.objects.create(name="quiet", account=account)
    add(site, pageviews=3)
    add(site, path="/about", pageviews=4, bots=100)
    add(site, ago=400, pageviews=5)

    with django_assert_num_queries(1):
        assert query.totals([site, quiet]) == {site.pk: 12, quiet.pk: 0}
    assert query.total(site) == 12
    assert query.totals([]) == {}


def test_daily_has_every_day_today_last(site, django_assert_num_queries):
    add(site, pageviews=3, visits=2)
    add(site, path="/about", pageviews=4, visits=0)
    add(site, ago=2, pageviews=5, visits=5)
    add(site, ago=3, pageviews=100)

    with django_assert_num_queries(1):
        days = query.daily(site, 3)

    today = datetime.now(UTC).date()
    assert days == [
        (today - timedelta(days=2), 5, 5),
        (today - timedelta(days=1), 0, 0),
        (today, 7, 2),
    ]


@pytest.mark.parametrize(("limit", "paths"), [(10, ["/a", "/b", "/c"]), (2, ["/a", "/b"])])
def test_top_paths_are_ordered_and_limited(site, limit, paths):
    add(site, path="/c", pageviews=2)
    add(site, path="/b", pageviews=3)
    add(site, ago=1, path="/a", pageviews=2)
    add(site, path="/a", pageviews=2)
    add(site, ago=30, path="/c", pageviews=100)
    add(site, path="/robots-alone", pageviews=0, visits=0, bots=9)

    assert [row.path for row in query.top_paths(site, 30, limit)] == paths
