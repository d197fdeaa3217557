"""Statistics over the API: of the token's own site, as documented."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from deployments.api import visitors
from deployments.api.app import api
from deployments.models import Scope
from sites.models import Kind
from sites.visits.breakdowns import BY_SLUG
from tests.factories import SiteFactory, VisitDayFactory

pytestmark = pytest.mark.django_db


def test_sums_and_a_line(call, site, django_assert_max_num_queries):
    today = datetime.now(UTC).date()
    VisitDayFactory(site=site, day=today, pageviews=7, visits=3, visitors=2, bots=5)
    VisitDayFactory(site=site, day=today - timedelta(days=7), pageviews=4)
    VisitDayFactory(site=SiteFactory(), pageviews=1000)
    found = call("get", "visitors?range=7d", Scope.READ).json()
    assert found["sums"] == {"pageviews": 7, "visits": 3, "visitors": 2, "bots": 5}
    assert found["previous"]["pageviews"] == 4
    assert found["total"] == 11
    assert len(found["series"]) == 7
    assert found["series"][-1] | {"at": ""} == {"at": "", **found["sums"]}
    assert (found["first"], found["last"]) == (str(today - timedelta(days=6)), str(today))


def test_rows_of_a_kind_page_by_page(call, site):
    for n in range(3):
        VisitDayFactory(site=site, kind=Kind.PATH, value=f"/{n}", pageviews=3 - n)
    found = call("get", "visitors/pages?limit=2", Scope.READ).json()
    assert [row["value"] for row in found["rows"]] == ["/0", "/1"]
    assert found["rows"][0]["share"] == 0.5
    rest = call("get", f"visitors/pages?limit=2&offset={found['next']}", Scope.READ).json()
    assert ([row["value"] for row in rest["rows"]], rest["next"]) == (["/2"], None)


@pytest.mark.parametrize(
    ("slug", "kind"),
    [
        ("referrers", Kind.REFERRER),
        ("countries", Kind.COUNTRY),
        ("devices", Kind.DEVICE),
        ("deployments", Kind.DEPLOYMENT),
        ("left-out", Kind.LEFT_OUT),
    ],
)
def test_every_kind_has_its_address(call, site, slug, kind):
    VisitDayFactory(site=site, kind=kind, value="DE")
    (row,) = call("get", f"visitors/{slug}?range=all", Scope.READ).json()["rows"]
    assert (row["value"], row["share"]) == ("DE", 1)


@pytest.mark.parametrize("path", ["visitors", "visitors/pages"])
def test_who_may_not_read_is_refused(call, site, path):
    assert call("get", path).status_code == 401
    assert call("get", path, Scope.DEPLOY).status_code in (200, 403)
    other = SiteFactory(name="other")
    assert call("get", f"/sites/{other.name}/{path}", Scope.READ).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "visitors?range=yesterday",
        "visitors/pages?range=1/2",
        "visitors/bots",
        "visitors/pages?limit=0",
    ],
)
def test_what_is_not_as_documented_is_refused_in_words(call, site, path):
    response = call("get", path, Scope.READ)
    assert response.status_code == 422
    assert response.json()["detail"]


def test_every_breakdown_of_the_pages_is_one_of_the_api():
    assert {*BY_SLUG, "left-out"} == set(visitors.Breakdown)


def test_it_is_documented(site):
    paths = api.get_openapi_schema(path_prefix="/api/v1/")["paths"]
    for path in ("/api/v1/sites/{site}/visitors", "/api/v1/sites/{site}/visitors/{kind}"):
        statuses = set(paths[path]["get"]["responses"])
        assert {200, 401, 403, 404, 422, 429} <= {int(status) for status in statuses}
