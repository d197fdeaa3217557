"""From a push to what visitors get, and to what GitHub shows; and every way it can end instead."""

from __future__ import annotations

import pytest

from deployments import operations, pushes, tasks
from deployments.models import Delivery, Deployment, Message
from deployments.target import target_of
from deployments.upload import UploadError
from sites.errors import Refused
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
    ("sha", "folder", "said"),
    [
        ("e" * 40, "public", "cannot be deployed"),
        (None, "dist", "dist"),
        (None, "", "index.html"),
    ],
)
def test_what_cannot_be_fetched_ends_with_the_reason(
    ready, repository, post, work, sha, folder, said
):
    repository.folder = folder
    repository.save()
    own = ready.push(PAGE)
    post(pushed(sha or own))
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
    deployment = waiting(repository, attempts=pushes.running.MAX_ATTEMPTS)
    monkeypatch.setattr(operations, "upload", fail)
    assert not pushes.run(deployment.pk)
    deployment.refresh_from_db()
    assert deployment.state == State.FAILURE


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
