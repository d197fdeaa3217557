"""From a push to what visitors get, and to what GitHub shows; and every way it can end instead."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from unittest import mock

import pytest
from django.utils import timezone

from deployments import manifest as manifests
from deployments import operations, pushes, tasks
from deployments.files.injection import SNIPPET
from deployments.models import Delivery, Deployment, Message
from deployments.pushes import branches
from deployments.source.opening import open_source
from deployments.target import target_of
from deployments.upload import UploadError
from sites.errors import Refused
from sites.models import Site
from tests.deployments.notifications.test_github import GitHub
from tests.deployments.pushes.origin import pushed
from tests.factories import DeploymentFactory, ListenerFactory

pytestmark = pytest.mark.django_db

State, Phase = Deployment.State, Deployment.Phase
PAGE = {"public/index.html": "<title>Shop</title>", "README": "how to build it"}


@pytest.fixture
def ready(world, origin, repository, enqueued):
    repository.folder = "public"
    repository.save()
    return origin


def waiting(repository, branch: str = "main", **changes: object) -> Deployment:
    """A push that a worker has not fetched."""
    deployment = pushes.deploy(repository, branch)
    Deployment.objects.filter(pk=deployment.pk).update(**changes)
    return Deployment.objects.get(pk=deployment.pk)


def test_a_signed_push_ends_as_a_live_site_and_a_reported_status(
    ready, repository, post, work, world, receiver, settings
):
    settings.CLOUDADMIN_GITHUB_API_URL = receiver.url
    github = GitHub(receiver)
    receiver.reply = lambda request: (
        (204, {}, b"") if request.path == "/hook" else github.reply(request)
    )
    repository.status_token = "ghp_1"
    repository.save()
    ListenerFactory(site=repository.site, address=f"{receiver.url}/hook")
    sha = ready.push(PAGE)
    assert post(pushed(sha)).status_code == 202
    work()
    deployment = Deployment.objects.get()
    assert (deployment.state, deployment.is_published) == (State.SUCCESS, True)
    assert (deployment.sha, deployment.ref, deployment.author) == (sha, "main", "Ada")
    assert deployment.source == f"{ready.url}#main:public"
    assert deployment.files == 1
    host = target_of(deployment.site).hosts[0]
    assert world.answer(host, "index.html")
    assert not world.answer(host, "README")
    states = [row["state"] for row in receiver.posts(f"/statuses/{sha}")]
    assert states[-1] == "success"
    assert [row["state"] for row in receiver.posts("/deployments/7/statuses")][-1] == "success"
    assert [row["type"] for row in receiver.posts("/hook")] == [
        "deployment.started",
        "deployment.succeeded",
    ]
    assert set(Message.objects.values_list("status", flat=True)) == {"sent"}
    # The same webhook again, as whoever has seen it could send it.
    assert post(pushed(sha)).status_code == 422
    work()
    assert Deployment.objects.count() == 1
    assert Delivery.objects.filter(outcome="refused").count() == 1


@pytest.mark.parametrize(
    ("folder", "said"),
    [
        ("dist", "dist"),
        ("", "index.html"),
    ],
)
def test_what_cannot_be_fetched_ends_with_the_reason(ready, repository, post, work, folder, said):
    repository.folder = folder
    repository.save()
    post(pushed(ready.push(PAGE)))
    work()
    deployment = Deployment.objects.get()
    assert (deployment.state, said in deployment.error_message) == (State.FAILURE, True)


def test_a_later_push_overtakes_one_that_is_still_being_fetched(ready, repository, work):
    ready.push(PAGE)
    first, second = waiting(repository), waiting(repository)
    assert not pushes.run(first.pk)
    first.refresh_from_db()
    assert first.state == State.INACTIVE
    assert first.error_message.startswith(f"Overtaken by #{second.number}")
    assert pushes.run(second.pk)


@pytest.mark.parametrize(
    "later",
    [
        {"state": "failure"},
        {"state": "inactive"},
        {"state": "in_progress", "cancel_requested": True},
    ],
)
def test_a_later_push_that_is_never_served_overtakes_nobody(ready, repository, later):
    ready.push(PAGE)
    first = waiting(repository)
    waiting(repository, **later)
    assert pushes.run(first.pk)


@pytest.mark.parametrize(
    "later", [{"state": "success"}, {"state": "inactive", "published_at": "2026-07-01T00:00Z"}]
)
def test_a_later_push_that_was_served_overtakes(ready, repository, later):
    ready.push(PAGE)
    first = waiting(repository)
    waiting(repository, **later)
    assert not pushes.run(first.pk)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_of_two_pushes_the_last_one_is_deployed_in_whatever_order_they_come(
    ready, repository, post, work, order
):
    shas = [ready.push(PAGE), ready.push({"public/index.html": "<title>New</title>"})]
    for index in order:
        post(pushed(shas[index]))
    work()
    older, newer = (Deployment.objects.get(sha=sha) for sha in shas)
    assert (newer.state, newer.is_published) == (State.SUCCESS, True)
    assert older.state == State.INACTIVE
    assert f"main is at {newer.sha[:7]} now" in older.error_message


def test_a_commit_whose_branch_is_gone_is_not_deployed(ready, repository, post, work):
    sha = ready.push(PAGE)
    ready.git("push", "-q", "origin", "--delete", "main")
    post(pushed(sha))
    work()
    deployment = Deployment.objects.get()
    assert (deployment.state, "was deleted" in deployment.error_message) == (State.INACTIVE, True)


def test_branches_are_told_apart_by_their_whole_name(ready):
    ready.push(PAGE, "x/refs/heads/main")
    assert branches.head(ready.url, "main") == ""
    assert branches.head(ready.url, "x/refs/heads/main") == ready.git("rev-parse", "HEAD").strip()


def test_a_repository_that_does_not_answer_says_so(ready, repository):
    repository.url += "-elsewhere"
    repository.save()
    deployment = waiting(repository)
    assert not pushes.run(deployment.pk)
    deployment.refresh_from_db()
    assert deployment.state == State.FAILURE
    assert "cannot be asked for its branches: git says" in deployment.error_message


def test_what_is_odd_about_the_files_is_kept_as_a_warning(ready, repository, monkeypatch):
    def build(*args, **options):
        return replace(manifests.build(*args, **options), warnings=("“a” is odd.",))

    monkeypatch.setattr(pushes.running, "manifests", SimpleNamespace(build=build))
    ready.push(PAGE)
    deployment = waiting(repository)
    assert pushes.run(deployment.pk)
    deployment.refresh_from_db()
    assert deployment.warnings == ["“a” is odd."]


def test_the_counters_snippet_is_put_into_the_pages_of_a_commit(ready, repository):
    Site.objects.update(injects_snippet=True)
    ready.push({"public/index.html": "<html>"})
    deployment = waiting(repository)
    assert pushes.run(deployment.pk)
    deployment.refresh_from_db()
    assert deployment.bytes == len(b"<html>") + len(SNIPPET)


def test_a_push_to_another_branch_overtakes_nobody(ready, repository):
    ready.push(PAGE)
    first = waiting(repository)
    DeploymentFactory(
        site=repository.site, number=9, trigger="push", environment="preview", ref="feature/x"
    )
    assert pushes.run(first.pk)


def test_a_cancelled_push_uploads_nothing(ready, repository, world):
    ready.push(PAGE)
    deployment = waiting(repository, cancel_requested=True)
    assert not pushes.run(deployment.pk)
    deployment.refresh_from_db()
    assert (deployment.state, list(world.objects.list())) == (State.INACTIVE, [])


def test_the_newest_of_a_branch_is_deployed_without_a_webhook(ready, repository, work):
    sha = ready.push(PAGE)
    deployment = pushes.deploy(repository, "main")
    work()
    tasks.deploy_push(deployment.pk)
    work()
    deployment.refresh_from_db()
    assert (deployment.state, deployment.sha, deployment.author) == (State.SUCCESS, sha, "Ada")


@pytest.mark.parametrize(
    ("error", "state", "said"),
    [
        (Refused("AWS is busy.", try_again=True), State.IN_PROGRESS, "AWS is busy."),
        (Refused("AWS says no."), State.FAILURE, "AWS says no."),
        (UploadError("index.html: SlowDown"), State.FAILURE, "SlowDown"),
        (ZeroDivisionError(), State.FAILURE, "cloudadmin itself failed"),
    ],
)
def test_an_upload_that_fails_is_tried_again_where_that_helps(
    ready, repository, monkeypatch, error, state, said
):
    def fail(*args):
        raise error

    ready.push(PAGE)
    deployment = waiting(repository)
    monkeypatch.setattr(operations, "upload", fail)
    assert not pushes.run(deployment.pk)
    deployment.refresh_from_db()
    assert (deployment.state, said in deployment.error_message) == (state, True)
    assert not deployment.is_held
    assert pushes.is_waiting(deployment)


def test_what_is_tried_too_often_ends(ready, repository, monkeypatch):
    def fail(*args):
        raise Refused("AWS is busy.", try_again=True)

    ready.push(PAGE)
    deployment = waiting(repository, attempts=operations.MAX_ATTEMPTS)
    monkeypatch.setattr(operations, "upload", fail)
    assert not pushes.run(deployment.pk)
    deployment.refresh_from_db()
    assert deployment.state == State.FAILURE


def test_a_push_that_kills_its_workers_is_given_up(ready, repository, monkeypatch):
    fetch = mock.create_autospec(open_source)
    monkeypatch.setattr(pushes.running, "open_source", fetch)
    long_ago = timezone.now() - timedelta(minutes=5)
    deployment = waiting(repository, attempts=operations.MAX_ATTEMPTS, lease_until=long_ago)
    assert not pushes.run(deployment.pk)
    deployment.refresh_from_db()
    assert (deployment.state, fetch.called) == (State.FAILURE, False)
    assert "its worker died" in deployment.error_message


def test_a_fetch_whose_worker_died_is_done_by_the_next(ready, repository, monkeypatch, enqueued):
    ready.push(PAGE)
    deployment = waiting(repository)
    assert deployment.claim()
    assert not pushes.run(deployment.pk), "somebody is at it"
    died = deployment.created_at
    Deployment.objects.update(lease_until=died, created_at=died.replace(year=2020))
    enqueued.clear()
    tasks.requeue_deployments()
    assert enqueued == [("deployments.deploy_push", [deployment.pk])]
    assert pushes.run(deployment.pk)


def test_a_repository_that_was_taken_away_deploys_nothing(ready, repository):
    deployment = waiting(repository)
    repository.delete()
    assert not pushes.run(deployment.pk)
    deployment.refresh_from_db()
    assert "no repository any more" in deployment.error_message
