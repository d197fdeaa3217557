"""The page of a deployment: its log, what it changed, and what can be done with it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from deployments import log, pushes, retry, tasks
from deployments.admin import deployment as deployment_pages
from deployments.admin import shown
from deployments.admin.commits import commit_url
from deployments.changes import Change, Folder, between
from deployments.errors import DeploymentRefused
from deployments.manifest import Entry, Manifest
from deployments.models import Deployment, DeploymentEvent, Message
from deployments.rollback import rollback
from sites.models import Role
from tests.factories import (
    DeploymentFactory,
    ListenerFactory,
    MembershipFactory,
    MessageFactory,
    RepositoryFactory,
    SiteFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db

XSS, TURNED, COLOURED = "<script>alert(1)</script>", "photo\u202egpj.exe", "\x1b[31mred\x1b[0m\x07"


def entry(content: str, size: int = 5) -> Entry:
    return Entry(content * 64, size, "text/html", "no-cache")


def manifest(files: dict[str, str]) -> bytes:
    return Manifest({path: entry(content) for path, content in files.items()}).to_bytes()


def page(row: Deployment, name: str = "change") -> str:
    return reverse(f"admin:deployments_deployment_{name}", args=[row.pk])


def read(client: Client, url: str, **asked: str) -> str:
    response = client.get(url, asked)
    assert response.status_code == 200
    return response.content.decode()


# --- The log --------------------------------------------------------------------------------------


def test_from_the_request_to_the_end_the_log_tells_what_happened(site, deploy, admin_user):
    first = deploy({"a.html": "1"}, creator=admin_user, warnings=["One link leads nowhere."])
    second = deploy({"a.html": "2"})
    rollback(site, first.number, admin_user)
    told = [(event.phase, event.level, event.text) for event in first.events.all()]
    assert told[0][2] == "Asked for by admin (command line), for all visitors."
    assert ("upload", "warning", "One link leads nowhere.") in told
    phases = [phase for phase, _, _ in told]
    assert phases == sorted(phases, key=list(Deployment.Phase.values).index)
    text = "\n".join(log.as_text(first.events.all()))
    for said in (
        "the bucket lacks 2 of them",
        "Sent: 2 files",
        "as release 1",
        "Asked the edge for 2 paths: all as deployed.",
        "Published: every visitor gets it.",
        "Visitors get #2 instead.",
        "Published again by admin",
    ):
        assert said in text
    assert "Visitors get #1 instead." in [event.text for event in second.events.all()]


def test_the_log_is_plain_and_bounded(site):
    row = DeploymentFactory(site=site)
    log.say(row, COLOURED, TURNED, "two\r\nlines", level="warning")
    assert [event.text for event in row.events.all()] == [
        "red⟨07⟩",
        "photo⟨202E⟩gpj.exe",
        "two\nlines",
    ]
    log.say(row, *("line" for _ in range(log.AT_ONCE + 10)))
    assert row.events.order_by("-pk")[0].text == "And 11 more like these."
    for number in range(log.MOST):
        log.say(row, f"{number}")
    assert row.events.count() == log.MOST
    assert row.events.order_by("-pk")[0].text == log.FULL
    log.say(row, "The end.", is_end=True)
    assert row.events.count() == log.MOST + 1


def test_the_page_shows_the_log_and_asks_for_what_is_new(admin_client, site):
    row = DeploymentFactory(site=site, state="in_progress", phase="settle", description=XSS)
    log.say(row, f"Opening {XSS}.")
    content = read(admin_client, page(row))
    assert "Opening &lt;script&gt;" in content
    assert XSS not in content
    last = row.events.get().pk
    assert f"?after={last}" in content
    assert admin_client.get(page(row, "log"), {"after": last}).status_code == 204
    log.say(row, "More.")
    news = read(admin_client, page(row, "log"), after=f"{last}")
    assert "More." in news
    assert "Opening" not in news
    Deployment.objects.update(state="success", phase="done", finished_at=timezone.now())
    assert "every 1s" not in read(admin_client, page(row, "log"), after=f"{last}")
    told = admin_client.get(page(row, "text"))
    assert told.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert told.headers["Content-Disposition"].startswith("attachment;")
    assert told.content.decode().count("\n") == 2


def test_what_is_new_is_said_to_those_who_listen_once(admin_client, site):
    row = DeploymentFactory(site=site, state="in_progress", phase="settle", files=3)
    panel = page(row, "panel")
    assert f"#{row.number}: Settling." in read(admin_client, panel, seen="Indexing", files="1")
    answer = admin_client.get(panel, {"seen": "Settling", "files": "0"})
    assert 'hx-swap-oob="innerHTML"' not in answer.content.decode()
    assert answer.headers["HX-Trigger"] == "deployment-files"


def test_where_no_files_came_the_panel_of_changed_files_goes(admin_client, site):
    row = DeploymentFactory(site=site, state="in_progress", phase="upload")
    gone = '<section id="files-panel" hx-swap-oob="delete">'
    assert gone not in read(admin_client, page(row, "panel"), seen="Uploading", files="0")
    Deployment.objects.update(state="failure", finished_at=timezone.now())
    assert gone in read(admin_client, page(row, "panel"), seen="Uploading", files="0")


def test_who_was_told_of_its_end_is_waited_for(admin_client, site):
    ended = timezone.now() - timedelta(seconds=20)
    row = DeploymentFactory(site=site, state="failure", error_message="No.", finished_at=ended)
    asks = f"{page(row, 'panel')}?files=1"
    assert asks not in read(admin_client, page(row))
    message = MessageFactory(deployment=row, listener=ListenerFactory(site=site))
    assert asks in read(admin_client, page(row))
    Message.objects.filter(pk=message.pk).update(status=Message.Status.SENT)
    assert asks not in read(admin_client, page(row, "panel"))
    Deployment.objects.update(finished_at=timezone.now())
    assert asks in read(admin_client, page(row, "panel"))


@pytest.mark.parametrize("name", ["change", "panel"])
def test_what_ends_while_its_page_is_made_is_asked_for_again(admin_client, site, monkeypatch, name):
    row = DeploymentFactory(site=site, state="in_progress", phase="upload")

    def ended_by_then(*asked):
        Deployment.objects.update(
            state="failure", error_message="Disk full.", finished_at=timezone.now()
        )
        return shown.shown(*asked)

    monkeypatch.setattr(deployment_pages, "shown", ended_by_then)
    late = read(admin_client, page(row, name))
    assert "Disk full." not in late
    assert f"{page(row, 'panel')}?seen=" in late
    now = read(admin_client, page(row, "panel"))
    assert "Disk full." in now
    assert "?seen=" not in now


@pytest.mark.parametrize(
    ("row", "word"),
    [
        ({"is_published": True}, "Published"),
        ({"is_previewed": True, "environment": "preview"}, "Preview"),
        ({"state": "in_progress", "phase": "settle"}, "Settling"),
        ({"pruned_at": timezone.now()}, "Given up"),
        ({}, "Ready"),
        ({"served": True}, "Was published"),
        ({"served": True, "state": "inactive"}, "Was published"),
        ({"state": "failure"}, "Failed"),
        ({"state": "error"}, "Failed"),
        ({"state": "inactive"}, "Inactive"),
        ({"state": "inactive", "cancel_requested": True}, "Cancelled"),
    ],
)
def test_the_word_for_a_deployment(row, word):
    assert shown.word_for(DeploymentFactory(**row))[1] == word


# --- Changed files --------------------------------------------------------------------------------


def test_a_tree_has_folders_first_and_short():
    old = Manifest({"index.html": entry("1"), "gone/deep/er/x.txt": entry("1"), "same": entry("1")})
    headed = Entry("1" * 64, 5, "text/html", "max-age=60")
    new = Manifest(
        {"index.html": headed, "a/b/1": entry("2", 7), "a/b.c": entry("3"), "same": entry("1")}
    )
    changes = between(old, new)
    assert changes.counts == {"added": 2, "changed": 1, "deleted": 1}
    assert changes.unchanged == 1
    a, gone, index = changes.level()
    assert (a, gone) == (
        Folder("a/", "a/", {"added": 2}, 12),
        Folder("gone/deep/er/", "gone/deep/er/", {"deleted": 1}, 5),
    )
    assert index == Change("index.html", 5, 5, same_content=True)
    assert [each.path for each in changes.level("a/")] == ["a/b/", "a/b.c"]
    assert [each.path for each in changes.level("gone/deep/er/")] == ["gone/deep/er/x.txt"]
    assert [each.path for each in changes.search("DEEP x")] == ["gone/deep/er/x.txt"]


def test_few_changes_are_open_and_many_are_opened_one_by_one(admin_client, site):
    few = {f"docs/page-{n}.html": "1" for n in range(3)} | {f"img/{TURNED}<b>": "1"}
    row = DeploymentFactory(site=site, number=1, served=True, files=4, manifest=manifest(few))
    said = read(admin_client, page(row, "changes"))
    assert "page-2.html" in said
    assert "photo⟨202E⟩gpj.exe&lt;b&gt;" in said
    many = {f"docs/{n:05}.html": "1" for n in range(5_000)} | {"index.html": "1"}
    row = DeploymentFactory(site=site, number=2, files=5_001, manifest=manifest(many))
    said = read(admin_client, page(row, "changes"))
    assert "<strong>5,001</strong> added" in said
    assert "<strong>4</strong> deleted" in said
    assert said.count("<li") < 10
    inside = read(admin_client, page(row, "changes"), folder="docs/")
    assert inside.count('class="file') == 200
    assert "4,803 left" in inside
    assert "00200.html" in read(admin_client, page(row, "changes"), folder="docs/", start="200")
    found = read(admin_client, page(row, "changes"), q="docs 04999")
    assert found.count('class="file') == 1
    assert "No changed file has" in read(admin_client, page(row, "changes"), q="nowhere")
    assert "compared with" in read(admin_client, page(row, "changes"), **{"from": "1"})
    assert admin_client.get(page(row, "changes"), {"from": "77"}).status_code == 404
    Deployment.objects.update(objects_deleted_at=timezone.now())
    assert "not kept any more" in read(admin_client, page(row, "changes"))


# --- Publish, roll back, try again ----------------------------------------------------------------


def test_a_rollback_does_what_was_shown_or_nothing(admin_client, site, deploy):
    for number, message in enumerate(("First", "Second", "Third"), start=1):
        deploy({"a.html": f"{number}"}, message=message)
    back = reverse("admin:sites_site_rollback", args=[site.pk])
    shown = read(admin_client, back, to="1")
    assert "These 2 deployments are undone" in shown
    assert "Third" in shown
    assert "?from=3" in shown
    assert 'name="instead_of" value="3"' in shown
    deploy({"a.html": "4"}, message="Fourth")
    refused = admin_client.post(back, {"to": "1", "instead_of": "3"}).content.decode()
    assert "#3 was served when this was shown, and #4 is served now" in refused
    assert 'name="instead_of" value="4"' in refused
    assert "These 3 deployments are undone" in refused
    assert Deployment.objects.get(is_published=True).number == 4
    admin_client.post(back, {"to": "1", "instead_of": "4"})
    assert Deployment.objects.get(is_published=True).number == 1
    with pytest.raises(DeploymentRefused, match="nothing was served when"):
        rollback(site, 4, instead_of=0)


def test_what_failed_at_the_edge_is_tried_again_without_an_upload(
    admin_client, site, deploy, world, monkeypatch, django_capture_on_commit_callbacks
):
    deploy({"a.html": "1"})
    row = deploy({"a.html": "2"}, message="Spring")
    Deployment.objects.filter(pk=row.pk).update(
        state="failure", phase="verify", published_at=None, is_published=False
    )
    again = reverse("admin:sites_site_retry", args=[site.pk])
    assert f"{again}?to=2" in read(admin_client, page(row))
    assert "of the same 2 files" in read(admin_client, again, to="2")
    woken: list[int] = []
    monkeypatch.setattr(tasks.resume_deployment, "delay", woken.append)
    with django_capture_on_commit_callbacks(execute=True):
        admin_client.post(again, {"to": "2"})
    new = Deployment.objects.get(number=3)
    assert (new.phase, new.description, woken) == ("queue", "Spring", [new.pk])
    assert "did not fail" in read(admin_client, again, to="1")
    assert "no such" in read(admin_client, again, to="9")


def test_a_push_that_could_not_be_fetched_is_fetched_again(site, monkeypatch):
    RepositoryFactory(site=site)
    row = DeploymentFactory(
        site=site, number=1, trigger="push", phase="source", state="failure", ref="main"
    )
    new = retry.retry(row)
    assert (new.phase, new.ref, pushes.is_waiting(new)) == ("source", "main", True)
    lost = DeploymentFactory(site=site, number=9, phase="upload", state="failure")
    with pytest.raises(DeploymentRefused, match="never arrived"):
        retry.retry(lost)


@pytest.mark.parametrize(
    ("source", "url"),
    [
        ("https://github.com/acme/shop.git#main:public", "https://github.com/acme/shop/commit/"),
        ("https://t:0k3n@gitlab.com/a/b/c", "https://gitlab.com/a/b/c/-/commit/"),
        ("git@github.com:acme/shop.git", "https://github.com/acme/shop/commit/"),
        ("https://github.com.evil.example/acme/shop", ""),
        ("javascript:alert(1)//github.com/a/b", ""),
        ("public.zip", "https://codeberg.org/acme/shop/commit/"),
    ],
)
def test_a_commit_leads_to_the_host_of_its_repository(source, url):
    row = Deployment(source=source, sha="0123456789abcdef")
    own = "https://codeberg.org/acme/shop.git" if source == "public.zip" else ""
    assert commit_url(row, own) == (url and url + row.sha)
    row.sha = "<b>"
    assert commit_url(row, own) == ""


# --- Who, and how many queries --------------------------------------------------------------------


def test_who_sees_a_deployment_and_who_may_act(client, site):
    row = DeploymentFactory(site=site, number=1, state="failure", phase="verify", files=1)
    pages = [page(row, name) for name in ("panel", "log", "text", "changes")]
    retry_page = reverse("admin:sites_site_retry", args=[site.pk])
    other, viewer, deployer = UserFactory(), UserFactory(), UserFactory()
    MembershipFactory(user=other, site=SiteFactory(), role=Role.OWNER)
    MembershipFactory(user=viewer, site=site, role=Role.VIEWER)
    MembershipFactory(user=deployer, site=site, role=Role.DEPLOYER)
    client.force_login(other)
    assert [client.get(url).status_code for url in pages[1:]] == [404, 404, 404]
    assert client.get(pages[0]).headers["HX-Refresh"] == "true"
    client.force_login(viewer)
    assert [client.get(url).status_code for url in pages] == [200] * 4
    assert 'id="retry"' not in read(client, page(row))
    assert client.post(retry_page, {"to": 1}).status_code == 403
    client.force_login(deployer)
    assert 'id="retry"' in read(client, page(row))


def test_a_page_takes_the_same_queries_for_more_lines(
    admin_client, site, django_assert_max_num_queries, django_assert_num_queries
):
    row = DeploymentFactory(site=site, files=1, manifest=manifest({"a": "1"}))

    def more(count: int) -> None:
        lines = [DeploymentEvent(deployment=row, phase="upload", text="x") for _ in range(count)]
        DeploymentEvent.objects.bulk_create(lines)

    more(3)
    admin_client.get(page(row))
    with django_assert_max_num_queries(16) as few:
        admin_client.get(page(row))
    more(27)
    with django_assert_num_queries(len(few)):
        admin_client.get(page(row))
