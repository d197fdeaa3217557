"""What the dashboard says of deployments, and what can be done there, page by page."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from deployments import access, lane, tasks
from deployments.admin import shown as pages
from deployments.manifest import Entry, Manifest
from deployments.models import Deployment, DeploySettings
from deployments.source.opening import open_source
from deployments.source.rules import SourceRefused
from sites.models import Role, Site
from tests.factories import DeploymentFactory, DomainFactory, member

pytestmark = pytest.mark.django_db

ZIP = b"PK\5\6" + bytes(18)


@pytest.fixture(autouse=True)
def data_dir(settings, tmp_path) -> None:
    settings.DATA_DIR = tmp_path


@pytest.fixture(autouse=True)
def delay(monkeypatch) -> mock.Mock:
    delay: mock.Mock = mock.create_autospec(tasks.deploy_upload.delay)
    monkeypatch.setattr(tasks.deploy_upload, "delay", delay)
    return delay


@pytest.fixture
def with_previews(site: Site) -> Site:
    DomainFactory(site=site, name="*.preview.example.com")
    row = site.resources.get(logical_id="distribution")
    row.attributes["aliases"] = ["*.preview.example.com"]
    row.save()
    return site


def manifest(**files: str) -> bytes:
    entries = {
        path: Entry(content * 64, 5, "text/html", "no-cache") for path, content in files.items()
    }
    return Manifest(entries).to_bytes()


def action(site: Site, slug: str) -> str:
    return reverse(f"admin:sites_site_{slug}", args=[site.pk])


def page_of(client: Client, row: Site | Deployment) -> str:
    name = f"admin:{row._meta.app_label}_{row._meta.model_name}_change"
    return client.get(reverse(name, args=[row.pk])).content.decode()


def archive() -> SimpleUploadedFile:
    return SimpleUploadedFile("shop.zip", ZIP)


# --- Deploy ---------------------------------------------------------------------------------------


def test_a_preview_is_asked_for_with_its_name(admin_client, with_previews):
    assert "Where to" in page_of(admin_client, with_previews)
    data = {"file": archive(), "environment": "preview", "label": "Spring Sale"}
    admin_client.post(action(with_previews, "deploy"), data)
    row = Deployment.objects.get()
    assert row.environment == "preview"
    assert row.label.startswith("spring-sale")


def test_without_a_domain_for_previews_the_page_says_how_to_get_one(admin_client, site):
    content = admin_client.get(action(site, "deploy")).content.decode()
    assert "has no domain for previews" in content
    assert "Where to" not in content


def test_a_script_is_told_where_to_go_on_or_what_is_wrong(admin_client, site):
    def post(**data: object) -> Any:
        return admin_client.post(
            action(site, "deploy"), data, headers={"Accept": "application/json"}
        )

    refused = post(file=SimpleUploadedFile("shop.zip", b"no"))
    assert refused.status_code == 422
    assert "is not an archive" in refused.json()["problems"][0]
    taken = post(file=archive())
    log = reverse("admin:deployments_deployment_change", args=[Deployment.objects.get().pk])
    assert taken.json() == {"url": log}


def test_what_was_refused_can_be_let_through(admin_client, site, tmp_path):
    for name in (".env", "config/server.key", "index.html"):
        (tmp_path / "site" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "site" / name).write_text("-----BEGIN PRIVATE KEY-----")
    message = refusal(tmp_path / "site")
    row = DeploymentFactory(site=site, number=7, state="failure", error_message=message)
    assert "again-7" in page_of(admin_client, site)
    form = admin_client.get(action(site, "deploy"), {"again": "7"}).content.decode()
    assert ".env\nconfig/server.key" in form
    data = {"file": archive(), "again": "7", "allow": ".env\r\n"}
    admin_client.post(action(site, "deploy"), data)
    assert Deployment.objects.exclude(pk=row.pk).get().allowed == [".env"]


@pytest.mark.parametrize("again", ["", "8", "x", "²", "9" * 30])
def test_nothing_is_let_through_where_nothing_was_refused(admin_client, site, again):
    page = admin_client.get(action(site, "deploy"), {"again": again}).content.decode()
    assert "let through" not in page
    data = {"file": archive(), "again": again if again == "8" else "", "allow": ".env"}
    admin_client.post(action(site, "deploy"), data)
    assert Deployment.objects.get().allowed == []


def refusal(folder: Path) -> str:
    with pytest.raises(SourceRefused) as refused, open_source(folder):
        pass
    return str(refused.value)


# --- Under way ------------------------------------------------------------------------------------


def test_who_is_under_way_is_told_what_it_waits_for(admin_client, site):
    DeploymentFactory(site=site, number=1, state="in_progress", phase="verify")
    second = DeploymentFactory(site=site, number=2, state="in_progress", phase="queue")
    third = DeploymentFactory(site=site, number=3, state="in_progress", phase="queue")
    busy = {"objects_total": 10, "uploaded": 4, "bytes": 30, "bytes_total": 120}
    DeploymentFactory(site=site, number=4, state="in_progress", phase="upload", **busy)
    found = pages.under_way(site.deployments.filter(state__in=Deployment.ACTIVE))
    assert [each.row.number for each in found] == [1, 3, 2, 4]
    assert [len(each.before) for each in found] == [0, lane.place(third), lane.place(second), 0]
    assert [each.share for each in found] == [None, None, None, 25]
    assert [each.can_be_cancelled for each in found] == [False, True, True, True]
    content = page_of(admin_client, site)
    assert "4 deployments are under way" in content
    assert "After 2 others, of which #1 is first: verifying" in content
    assert "4 of 10 files" in content
    assert "every 2s" in content
    assert "cancel-1" not in content


def test_a_deployment_is_cancelled_and_too_late_is_said(admin_client, site):
    DeploymentFactory(site=site, number=1, state="in_progress", phase="flip")
    waiting = DeploymentFactory(site=site, number=2, state="in_progress", phase="queue")
    asked = admin_client.get(action(site, "cancel"), {"to": 2}).content.decode()
    assert "#2 ends here" in asked
    assert ">Let it go on</a>" in asked
    admin_client.post(action(site, "cancel"), {"to": 2})
    waiting.refresh_from_db()
    assert waiting.state == Deployment.State.INACTIVE
    assert ">Cancelled</span>" in page_of(admin_client, site)
    refused = admin_client.post(action(site, "cancel"), {"to": 1}).content.decode()
    assert "too late to cancel #1" in refused
    assert admin_client.post(action(site, "cancel"), {"to": 9}).status_code == 404


def test_the_panel_of_a_deployment_refreshes_until_it_ends(admin_client, site):
    row = DeploymentFactory(site=site, state="in_progress", phase="settle")
    panel = reverse("admin:deployments_deployment_panel", args=[row.pk])
    assert "every 1s" in admin_client.get(panel).content.decode()
    Deployment.objects.update(state="success", phase="done")
    assert "every 1s" not in admin_client.get(panel).content.decode()
    row.delete()
    assert admin_client.get(panel).headers["HX-Refresh"] == "true"


def test_what_cannot_be_published_is_said_before_anybody_presses(admin_client, site):
    DeploymentFactory(site=site, number=1, pruned_at=timezone.now(), manifest=manifest(a="1"))
    for to, said in (({"to": 1}, "#1 cannot be published"), ({}, "no earlier deployment")):
        page = admin_client.get(action(site, "publish"), to).content.decode()
        assert said in page
        assert '<button class="button primary"' not in page


# --- Lock, hold -----------------------------------------------------------------------------------


def test_a_site_is_locked_for_a_reason_and_unlocked(admin_client, site):
    said = admin_client.post(action(site, "lock"), {"reason": " ", "hours": ""}).content.decode()
    assert "This field is required" in said
    admin_client.post(action(site, "lock"), {"reason": "Sale until Monday.", "hours": "4"})
    form = admin_client.get(action(site, "deploy")).content.decode()
    assert "not published by itself" in form
    assert "Sale until Monday.</p>" in form
    row = DeploySettings.objects.get()
    assert lane.is_locked(row)
    assert row.locked_until
    assert row.locked_until < timezone.now() + timedelta(hours=4, seconds=1)
    DeploymentFactory(site=site, number=1, current=True)
    DeploymentFactory(site=site, number=2, manifest=manifest(a="b"))
    content = page_of(admin_client, site)
    assert "Locked by admin" in content
    assert "Sale until Monday" in content
    assert "Publish #2 now" in content
    assert "#2 is ready" in admin_client.get(action(site, "unlock")).content.decode()
    admin_client.post(action(site, "unlock"))
    assert "Locked by" not in page_of(admin_client, site)
    assert "is not locked" in admin_client.post(action(site, "unlock")).content.decode()


def test_publishing_is_resumed_after_a_rollback(admin_client, site):
    lane.hold(site, "rolled back to #1 by Ada")
    assert "The site was rolled back to #1 by Ada" in page_of(admin_client, site)
    admin_client.get(action(site, "resume"))
    admin_client.post(action(site, "resume"))
    assert not lane.stopped_because(site)


# --- Previews -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("edge", "address"),
    [
        (None, "https://spring.preview.example.com/"),
        ("http://127.0.0.1:8080", "http://spring.preview.example.com.localhost:8080/"),
    ],
)
def test_previews_have_their_links_and_are_closed(
    admin_client, with_previews, settings, edge, address
):
    settings.CLOUDADMIN_EDGE_URL = edge
    row = DeploymentFactory(
        site=with_previews,
        environment="preview",
        is_previewed=True,
        label="spring",
        ref="spring",
        expires_at=timezone.now() + timedelta(days=3),
    )
    content = page_of(admin_client, with_previews)
    assert f'href="{address}"' in content
    assert "Close the preview" in page_of(admin_client, row)
    close = action(with_previews, "close-preview")
    assert "“spring”" in admin_client.get(close, {"label": "spring"}).content.decode()
    admin_client.post(close, {"label": "spring"})
    row.refresh_from_db()
    assert not row.is_previewed
    assert "no preview “spring”" in admin_client.post(close, {"label": "spring"}).content.decode()


# --- Kept and shown -------------------------------------------------------------------------------


def test_what_is_kept_is_set_within_bounds(admin_client, admin_user, site):
    assert 'value="20"' in admin_client.get(action(site, "keep")).content.decode()
    data = {"keep_deployments": 5, "keep_days": 1, "preview_days": 2, "delete_after_hours": 3}
    admin_client.post(action(site, "keep"), data | {"keep_deployments": 0})
    assert access.settings_of(site).keep_deployments == 20
    admin_client.post(action(site, "keep"), data)
    row = access.settings_of(site)
    assert {name: getattr(row, name) for name in data} == data
    assert row.updated_by == admin_user


def test_maintenance_is_switched(admin_client, site):
    for slug, is_on in (("maintenance", True), ("maintenance-off", False)):
        admin_client.get(action(site, slug))
        admin_client.post(action(site, slug))
        assert access.settings_of(site).is_in_maintenance is is_on
        page_of(admin_client, site)


def test_a_password_that_is_made_up_is_shown_once(admin_client, site):
    answer = admin_client.post(action(site, "protect"), {"path": "members"})
    assert 'id="password"' in answer.content.decode()
    assert "no-store" in answer.headers["Cache-Control"]
    page = admin_client.get(action(site, "settings")).content.decode()
    assert "<code>/members/</code>" in page
    assert 'id="password"' not in page
    given = admin_client.post(action(site, "protect"), {"path": "/", "password": "open sesame!"})
    assert given.status_code == 302
    assert "Open to everybody as before: /data/" in page_of(admin_client, site)
    assert "asked at /data/" in admin_client.get(action(site, "protect")).content.decode()
    assert "no path that can be" in (
        admin_client.post(action(site, "protect"), {"path": "/a?b"}).content.decode()
    )
    asked = admin_client.get(action(site, "unprotect"), {"path": "/members/"}).content.decode()
    assert "any more at /members/." in asked
    admin_client.post(action(site, "unprotect"), {"path": "/members/"})
    assert [rule["path"] for rule in access.settings_of(site).protection] == ["/"]


def test_space_says_what_goes_and_when(admin_client, site):
    DeploymentFactory(site=site, current=True, manifest=manifest(a="1", b="2"))
    space = admin_client.get(action(site, "space")).content.decode()
    assert "10\xa0bytes in 2 objects, of 1 deployment: less than a cent" in space
    assert "Nothing of it can go" in space
    DeploymentFactory(site=site, pruned_at=timezone.now(), manifest=manifest(a="3"))
    assert "5\xa0bytes of it goes" in admin_client.get(action(site, "space")).content.decode()


# --- One deployment -------------------------------------------------------------------------------


def test_a_deployment_tells_what_it_changed_and_where_the_time_went(admin_client, site):
    DeploymentFactory(site=site, number=1, served=True, manifest=manifest(a="1", b="2", c="3"))
    row = DeploymentFactory(
        site=site,
        number=2,
        current=True,
        files=3,
        manifest=manifest(a="1", b="9", d="4"),
        timings={"upload": 3.0, "verify": 1.0},
        warnings=["index.html: a link leads nowhere."],
        allowed=["known/key.pem"],
        ref="main",
        sha="0123456789abcdef",
        author="Grace",
    )
    content = page_of(admin_client, row)
    for said in ("4.0 s", "a link leads nowhere", "known/key.pem", "0123456789ab<", "Grace"):
        assert said in content
    assert [(span.start, span.width) for span in pages.spans(row)] == [(0, 75), (75, 25)]
    changes = reverse("admin:deployments_deployment_changes", args=[row.pk])
    said = admin_client.get(changes).content.decode()
    for kind, path in (("deleted", "c"), ("changed", "b"), ("added", "d")):
        assert f"<strong>1</strong> {kind}" in said
        assert f"{kind}</span> <code>{path}</code>" in said
    assert "<strong>1</strong> unchanged" in said


# --- Who, and how many queries --------------------------------------------------------------------


def test_who_may_only_look_finds_no_button_and_no_way(client, site):
    user = member(Role.VIEWER, site)
    client.force_login(user)
    row = DeploymentFactory(site=site, number=1, served=True, manifest=manifest(a="1"), files=1)
    DeploymentFactory(site=site, number=2, current=True)
    content = page_of(client, site)
    assert "deploy-dialog" not in content
    assert "publish-1" not in content
    assert 'id="publish"' not in page_of(client, row)
    slugs = "deploy publish cancel close-preview lock unlock resume keep maintenance protect"
    for slug in slugs.split():
        assert client.post(action(site, slug), {"to": 1, "label": "x"}).status_code == 403
    assert client.get(action(site, "space")).status_code == 200
    user.memberships.all().delete()
    assert client.get(action(site, "space")).status_code in (403, 404)
    changes = reverse("admin:deployments_deployment_changes", args=[row.pk])
    assert client.get(changes).status_code in (403, 404)


def test_a_site_takes_the_same_queries_for_more_of_everything(
    admin_client, with_previews, django_assert_max_num_queries, django_assert_num_queries
):
    def more(count: int) -> None:
        for _ in range(count):
            DeploymentFactory(site=with_previews, served=True, manifest=manifest(a="1"))
            DeploymentFactory(site=with_previews, state="in_progress", phase="queue")
            DeploymentFactory(site=with_previews, state="failure", error_message="“a” (b)")
            preview = DeploymentFactory(site=with_previews, environment="preview")
            Deployment.objects.filter(pk=preview.pk).update(
                is_previewed=True, label=f"d{preview.number}"
            )

    more(1)
    panel = reverse("admin:sites_site_panel", args=[with_previews.pk])
    admin_client.get(panel)
    with django_assert_max_num_queries(32) as few:
        admin_client.get(panel)
    more(8)
    with django_assert_num_queries(len(few)):
        assert b"9 deployments are under way" in admin_client.get(panel).content


def test_a_deployment_takes_few_queries(admin_client, site, django_assert_max_num_queries):
    row = DeploymentFactory(site=site, current=True, manifest=manifest(a="1"), files=1)
    page_of(admin_client, row)
    with django_assert_max_num_queries(14):
        page_of(admin_client, row)
