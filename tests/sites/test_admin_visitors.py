"""The pages of visitors: what they show, in how many queries, and to whom."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime, timedelta
from unittest import mock

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from sites.models import Kind, Role, VisitCursor, VisitDay, VisitImport
from sites.visits import throttling
from sites.visits.breakdowns import BREAKDOWNS, REASONS
from tests.factories import (
    DeploymentFactory,
    SiteFactory,
    UserFactory,
    VisitCountFactory,
    VisitDayFactory,
    member,
)

pytestmark = pytest.mark.django_db
ALL = "/sites/site/visitors/"


def page(site, name="visitors", *more):
    return reverse(f"admin:sites_site_{name}", args=[site.pk, *more])


@pytest.fixture
def site():
    return SiteFactory(name="shop", live=True)


def today():
    return datetime.now(UTC).date()


def fill(site, rows=1):
    """Something of everything, on two days; ``rows`` of each kind."""
    values = {
        Kind.PATH: "/{}",
        Kind.REFERRER: "{}.example",
        Kind.COUNTRY: "A{}",
        Kind.DEVICE: "phone{}",
        Kind.DEPLOYMENT: "{}",
        Kind.LEFT_OUT: "{}",
    }
    for ago in (0, 1):
        day = today() - timedelta(days=ago)
        VisitDayFactory(site=site, day=day, pageviews=1234, visits=100, visitors=50, bots=7)
        for kind, value in values.items():
            for n in range(rows):
                VisitDayFactory(site=site, day=day, kind=kind, value=value.format(n), pageviews=9)
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    minute = f"{datetime.now(UTC).minute:02}"
    VisitCountFactory(site=site, hour=hour, kind=Kind.MINUTE, value=minute, pageviews=3)


# --- One site -------------------------------------------------------------------------------------


def test_the_page_shows_what_was_counted(admin_client, site):
    fill(site)
    DeploymentFactory(site=site, number=7, release_number=3, served=True, description="New prices")
    VisitDayFactory(site=site, kind=Kind.DEPLOYMENT, value="3", pageviews=55)
    content = admin_client.get(page(site)).content.decode()
    for said in ("2,468", "200", "#7 New prices", "Last 30 days", "part=1"):
        assert said in content
    part = admin_client.get(page(site), {"part": "1"}).content.decode()
    assert part.startswith("<div")
    for said in ("/0", "0.example", "Release 0", "#7 New prices"):
        assert said in part
    assert "Release 3" not in part


@pytest.mark.parametrize("words", ["24h", "7d", "30d", "90d", "12m", "all"])
def test_every_range_has_a_line_with_its_numbers(admin_client, site, words):
    fill(site)
    response = admin_client.get(page(site), {"range": words})
    assert response.context["asked"].words == words
    assert 'aria-current="true"' in response.content.decode()
    VisitDayFactory(site=site, day=today() - timedelta(days=900))
    assert admin_client.get(page(site), {"range": words}).status_code == 200


def test_own_days_are_shown_and_wrong_ones_are_explained(admin_client, site):
    fill(site)
    first = today() - timedelta(days=5)
    days = {"first": str(first), "last": str(today())}
    asked = admin_client.get(page(site), days).context["asked"]
    assert (asked.range.first, asked.words) == (first, f"{first}/{today()}")
    days = {"first": str(today()), "last": str(first)}
    content = admin_client.get(page(site), days).content.decode()
    assert "swap the two days" in content
    assert "Last 30 days" in content


def test_a_change_is_said_in_words_and_leaves_today_out(admin_client, site):
    day = today()
    VisitDayFactory(site=site, day=day, visits=1000)
    VisitDayFactory(site=site, day=day - timedelta(days=1), visits=30)
    VisitDayFactory(site=site, day=day - timedelta(days=8), visits=40)
    content = admin_client.get(page(site), {"range": "7d"}).content.decode()
    assert "25 % fewer than in the period before" in content
    assert '<span aria-hidden="true">↓ 25 %</span>' in content


def test_the_page_takes_the_same_queries_for_more_rows(
    admin_client, site, django_assert_max_num_queries, django_assert_num_queries
):
    fill(site)
    with django_assert_max_num_queries(15) as few:
        admin_client.get(page(site))
    with django_assert_max_num_queries(16) as few_in_part:
        admin_client.get(page(site), {"part": "1"})
    other = SiteFactory(account=site.account)
    fill(other, rows=12)
    DeploymentFactory(site=other, number=1, current=True)
    with django_assert_num_queries(len(few)):
        admin_client.get(page(other))
    with django_assert_num_queries(len(few_in_part)):
        admin_client.get(page(other), {"part": "1"})


def test_a_site_without_visits_says_how_to_count_them(admin_client, site):
    content = admin_client.get(page(site)).content.decode()
    assert "/_cloudadmin/visits.js" in content
    assert "&lt;span data-visits&gt;" in content
    site.injects_snippet = True
    site.save()
    assert "at the next deploy" in admin_client.get(page(site)).content.decode()
    site.has_counter = False
    site.save()
    assert "has no visitor counter" in admin_client.get(page(site)).content.decode()


def test_a_quiet_time_says_since_when_there_are_visits(admin_client, site):
    VisitDayFactory(site=site, day=today() - timedelta(days=60))
    content = admin_client.get(page(site), {"range": "7d"}).content.decode()
    assert "No visits were counted in this time" in content
    assert "The first day that was counted" in content


def test_a_sync_that_failed_says_why(admin_client, site):
    fill(site)
    VisitCursor.objects.create(account=site.account, error_message="The database is away.")
    assert "The database is away." in admin_client.get(page(site)).content.decode()
    assert "The database is away." in admin_client.get(ALL).content.decode()


def test_the_last_hour_refreshes_alone(admin_client, site):
    fill(site)
    content = admin_client.get(page(site), {"part": "live"}).content.decode()
    assert content.lstrip().startswith('<section class="panel" id="live"')
    assert "3 pageviews in 1 visit" in content


def test_what_visitors_send_is_shown_as_text(admin_client, site):
    evil = '"><script>alert(1)</script>'
    for kind in (Kind.ALL, *(breakdown.kind for breakdown in BREAKDOWNS), Kind.LEFT_OUT):
        VisitDayFactory(site=site, kind=kind, value="" if kind == Kind.ALL else evil)
    by_referrer = page(site, "visitors_by", "referrers")
    for address in (f"{page(site)}?part=1", page(site, "left_out"), by_referrer):
        content = admin_client.get(address).content.decode()
        assert "<script>alert(1)" not in content
        assert "&lt;script&gt;alert(1)" in content


def test_long_lists_have_pages(admin_client, site):
    for n in range(101):
        VisitDayFactory(site=site, kind=Kind.PATH, value=f"/{n:03}", pageviews=200 - n)
    first = admin_client.get(page(site, "visitors_by", "pages")).content.decode()
    assert "/099" in first
    assert "/100" not in first
    assert "page=2" in first
    second = admin_client.get(page(site, "visitors_by", "pages"), {"page": "2"}).content.decode()
    assert "/100" in second
    for number in ("0", "-1", "x", "9" * 30):
        response = admin_client.get(page(site, "visitors_by", "pages"), {"page": number})
        assert "/000" in response.content.decode()
    assert admin_client.get(page(site, "visitors_by", "nothing")).status_code == 404


@pytest.mark.parametrize("reason", [*REASONS, "of another counter"])
def test_every_reason_is_explained(admin_client, site, reason):
    VisitDayFactory(site=site, kind=Kind.LEFT_OUT, value=reason, pageviews=4321, visits=0)
    content = admin_client.get(page(site, "left_out")).content.decode()
    assert "4,321" in content
    assert (REASONS[reason].title if reason in REASONS else reason) in content


def test_what_lambda_turned_away_is_asked_for_after_the_page(admin_client, site, monkeypatch):
    told = mock.create_autospec(throttling.throttling, return_value="12 were turned away.")
    monkeypatch.setattr(throttling, "throttling", told)
    assert "AWS is asked" in admin_client.get(page(site, "left_out")).content.decode()
    told.assert_not_called()
    assert "12 were" in admin_client.get(page(site, "left_out"), {"part": 1}).content.decode()
    told.return_value = ""
    content = admin_client.get(page(site, "left_out"), {"part": 1}).content.decode()
    assert "turned no hit away" in content


# --- All sites ------------------------------------------------------------------------------------


def test_all_sites_are_added_up_and_ranked(
    admin_client, django_assert_max_num_queries, django_assert_num_queries
):
    assert "No visit of any site" in admin_client.get(ALL).content.decode()
    first = SiteFactory(name="first")
    fill(first)
    with django_assert_max_num_queries(12) as few:
        admin_client.get(ALL)
    for _ in range(4):
        fill(SiteFactory(account=first.account))
    with django_assert_num_queries(len(few)):
        content = admin_client.get(ALL).content.decode()
    assert "12,340" in content
    assert page(first) not in content
    with django_assert_num_queries(7):
        part = admin_client.get(ALL, {"part": 1, "range": "7d"}).content.decode()
    assert f'{page(first)}?range=7d"' in part
    assert "20 %" in part
    assert "0.example" in part
    assert "/0" not in part.replace("</", "")


# --- Exports --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["line", "left-out", *(breakdown.slug for breakdown in BREAKDOWNS)]
)
def test_everything_can_be_taken_along(admin_client, site, name):
    fill(site)
    response = admin_client.get(page(site, "visitors_export", name, "csv"), {"range": "7d"})
    assert response["Content-Disposition"].startswith(f'attachment; filename="shop-{name}-')
    rows = list(csv.DictReader(response.content.decode().splitlines()))
    whole = admin_client.get(page(site, "visitors_export", name, "json"), {"range": "7d"}).json()
    assert [[str(each) for each in row.values()] for row in whole["rows"]] == [
        list(row.values()) for row in rows
    ]
    assert rows


def test_what_cannot_be_taken_along_is_not_there(admin_client, site):
    for name, ending in (("nothing", "csv"), ("pages", "exe"), ("sites", "csv")):
        address = page(site, "visitors_export", name, ending)
        assert admin_client.get(address).status_code == 404
    assert admin_client.get(f"{ALL}left-out.csv").status_code == 404
    assert json.loads(admin_client.get(f"{ALL}sites.json").content)["rows"] == []


# --- Who may --------------------------------------------------------------------------------------


def test_who_may_see_no_site_sees_no_visitors(client, site):
    client.force_login(member(Role.OWNER, SiteFactory()))
    addresses = (
        page(site),
        ALL,
        page(site, "left_out"),
        page(site, "visitors_by", "pages"),
        page(site, "visitors_export", "pages", "csv"),
        f"{ALL}sites.csv",
    )
    answers = [client.get(address) for address in addresses]
    assert [answer.status_code for answer in answers] == [404, 200, 404, 404, 404, 200]
    assert not any(site.name in answer.content.decode() for answer in answers)
    client.force_login(UserFactory())
    assert client.get(ALL).status_code == 403
    client.logout()
    assert {client.get(address).status_code for address in addresses} == {302}


def test_a_viewer_sees_but_does_not_publish(client, site):
    client.force_login(member(Role.VIEWER, site))
    assert "Make a public page" not in client.get(page(site)).content.decode()
    for slug in ("publish-visitors", "withdraw-visitors", "import-visitors", "undo-import"):
        assert client.post(page(site, slug)).status_code == 403


def test_a_public_page_is_made_and_withdrawn_by_post(admin_client, site):
    assert 'method="post"' in admin_client.get(page(site, "publish-visitors")).content.decode()
    site.refresh_from_db()
    assert site.visitors_token == ""
    response = admin_client.post(page(site, "publish-visitors"))
    assert response.url == page(site)
    site.refresh_from_db()
    token = site.visitors_token
    assert len(token) == 43
    admin_client.post(page(site, "publish-visitors"))
    site.refresh_from_db()
    assert site.visitors_token == token
    assert f"http://testserver/visitors/{token}/" in admin_client.get(page(site)).content.decode()
    admin_client.post(page(site, "withdraw-visitors"))
    site.refresh_from_db()
    assert site.visitors_token == ""


# --- Imports --------------------------------------------------------------------------------------

GOATCOUNTER = (
    "2Path,Event,System,Session,Bot,Referrer,Referrer scheme,Screen size,Location,FirstVisit,Date\n"
    "/old,false,,1,0,,o,,DE,true,2020-05-17T12:00:00Z\n"
)


def upload(content):
    return SimpleUploadedFile("goatcounter.csv", content.encode())


def test_a_file_of_another_counter_is_imported_and_taken_out_again(admin_client, site):
    address = page(site, "import-visitors")
    assert 'enctype="multipart/form-data"' in admin_client.get(address).content.decode()
    response = admin_client.post(address, {"file": upload(GOATCOUNTER)}, follow=True)
    content = response.content.decode()
    assert "Imported 1 pageview from 2020-05-17" in content
    assert "goatcounter.csv" in content
    assert VisitDay.objects.filter(site=site, kind=Kind.PATH, value="/old").exists()

    row = VisitImport.objects.get()
    undo = page(site, "undo-import")
    asked = admin_client.get(undo, {"visit_import": row.pk}).content.decode()
    assert "is taken out of the statistics" in asked
    other = SiteFactory()
    admin_client.post(page(other, "undo-import"), {"visit_import": row.pk})
    assert VisitImport.objects.exists()
    admin_client.post(undo, {"visit_import": row.pk})
    assert not VisitDay.objects.exists()
    again = admin_client.post(undo, {"visit_import": row.pk}).content.decode()
    assert "There is no such import" in again


@pytest.mark.parametrize("content", ["no counter wrote this", GOATCOUNTER + "/old,torn"])
def test_a_file_that_cannot_be_read_is_refused_whole(admin_client, site, content):
    response = admin_client.post(page(site, "import-visitors"), {"file": upload(content)})
    assert "goatcounter.csv" in response.content.decode()
    assert not VisitDay.objects.exists()
