"""GitHub shows a deployment at its commit, once, whatever is lost on the way."""

from __future__ import annotations

import json

import pytest

from deployments.models import Deployment
from deployments.notifications import github
from tests.deployments.receiver import Receiver, Reply, Request
from tests.factories import DeploymentFactory, RepositoryFactory

pytestmark = pytest.mark.django_db

SHA = "c0ffee" + "0" * 34


class GitHub:
    """What https://docs.github.com/en/rest says of the four calls, kept in memory."""

    def __init__(self, receiver: Receiver) -> None:
        self.deployments: list[dict] = []
        self.receiver = receiver
        self.lost: list[str] = []
        receiver.reply = self.reply

    def reply(self, request: Request) -> Reply:
        path = request.path.partition("?")[0].removeprefix("/repos/acme/shop/")
        if request.headers.get("authorization") != "Bearer ghp_1":
            return 401, {}, b'{"message": "Bad credentials"}'
        if request.method == "GET":
            return 200, {}, json.dumps(self.deployments).encode()
        if path == "deployments":
            self.deployments.append({"id": len(self.deployments) + 7, **request.json})
            if path in self.lost:
                return 502, {}, b"the answer is lost"
            return 201, {}, json.dumps(self.deployments[-1]).encode()
        return 201, {}, b"{}"


@pytest.fixture
def server(receiver, settings) -> GitHub:
    settings.CLOUDADMIN_GITHUB_API_URL = receiver.url
    return GitHub(receiver)


@pytest.fixture
def deployment(server) -> Deployment:
    repository = RepositoryFactory(status_token="ghp_1")
    return DeploymentFactory(site=repository.site, sha=SHA, state="in_progress")


def now(deployment: Deployment, **changes: object) -> None:
    Deployment.objects.filter(pk=deployment.pk).update(**changes)


def test_what_ends_while_it_is_told_is_not_told_as_it_was(server, deployment):
    now(deployment, state="success")  # since the message was made, and read
    assert github.report(deployment).is_delivered
    (status,) = server.receiver.posts(f"/statuses/{SHA}")
    assert status["state"] == "success"


def test_a_commit_has_a_status_and_a_deployment_with_one(server, deployment):
    assert github.report(deployment).is_delivered
    now(deployment, state="success")
    assert github.report(deployment).is_delivered
    assert [row["state"] for row in server.receiver.posts(f"/statuses/{SHA}")] == [
        "pending",
        "success",
    ]
    (made,) = server.deployments
    assert (made["ref"], made["environment"]) == (SHA, f"{deployment.site} production")
    assert (made["required_contexts"], made["auto_merge"]) == ([], False)
    assert [row["state"] for row in server.receiver.posts("/deployments/7/statuses")] == [
        "in_progress",
        "success",
    ]


def test_a_deployment_whose_answer_was_lost_is_not_made_twice(server, deployment):
    server.lost = ["deployments"]
    answer = github.report(deployment)
    assert (answer.is_delivered, answer.is_final) == (False, False)
    server.lost = []
    assert github.report(deployment).is_delivered
    assert len(server.deployments) == 1


def test_what_was_overtaken_is_an_end_as_well(server, deployment):
    now(deployment, state="inactive", error_message="Overtaken by #13. " + "x" * 200)
    github.report(deployment)
    (status,) = server.receiver.posts(f"/statuses/{SHA}")
    assert status["state"] == "error"
    assert len(status["description"]) == 140
    (status,) = server.receiver.posts("/deployments/7/statuses")
    assert status["state"] == "inactive"


def test_a_preview_is_an_environment_of_its_own(server, deployment):
    deployment.environment, deployment.label = "preview", "login"
    assert github.environment(deployment) == f"{deployment.site} preview login"
    github.report(deployment)
    assert server.deployments[0]["transient_environment"]


@pytest.mark.parametrize(
    ("status", "body", "is_final"),
    [
        (401, b'{"message": "Bad credentials"}', True),
        (404, b"<html>", True),
        (422, b'["No commit found"]', True),
        (403, b'{"message": "You have exceeded a secondary rate limit."}', False),
        (429, b"", False),
        (503, b"", False),
    ],
)
def test_what_github_refuses_is_said_and_tried_again_where_that_helps(
    server, deployment, status, body, is_final
):
    server.receiver.reply = lambda request: (status, {}, body)
    answer = github.report(deployment)
    assert (answer.is_delivered, answer.is_final) == (False, is_final)
    assert str(status) in answer.said
    assert "ghp_1" not in answer.said


def test_nobody_there_is_tried_again(deployment, settings):
    settings.CLOUDADMIN_GITHUB_API_URL = "http://127.0.0.1:1"
    answer = github.report(deployment)
    assert (answer.is_delivered, answer.is_final) == (False, False)


def test_without_a_token_nobody_is_asked(server, deployment):
    deployment.site.repository.delete()
    assert github.report(deployment).is_final
    assert not server.receiver.requests
