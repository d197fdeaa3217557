"""What GitHub shows of a deployment: a status at its commit, and a deployment of its own.

https://docs.github.com/en/rest/commits/statuses and https://docs.github.com/en/rest/deployments.
Nothing of GitHub's is remembered: its deployment is found again by what we wrote into it.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import httpx
from django.conf import settings

from cloudadmin import tls
from deployments.models import Deployment, Repository
from deployments.notifications.answers import Answer
from deployments.notifications.messages import repository_of
from deployments.notifications.words import address_of

State = Deployment.State
TIMEOUT = httpx.Timeout(10, connect=5)
DESCRIPTION = 140  # characters that GitHub takes
# Tried again: the rest is an answer.
BUSY = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}
# Ours -> that of a commit status and that of a deployment status.
STATES = {
    State.QUEUED: ("pending", "queued"),
    State.IN_PROGRESS: ("pending", "in_progress"),
    State.SUCCESS: ("success", "success"),
    State.FAILURE: ("failure", "failure"),
    State.ERROR: ("error", "error"),
    State.INACTIVE: ("error", "inactive"),
}


def report(deployment: Deployment) -> Answer:
    """Say at GitHub how the deployment stands now, so that a late message says nothing old: its
    state is read again before each word of it."""
    repository = repository_of(deployment)
    if repository is None:
        return Answer(False, "The site has no repository with a token any more.", is_final=True)
    try:
        with _client(repository) as client:
            _set_commit_status(client, deployment)
            _set_deployment_status(client, _deployment_id(client, deployment), deployment)
    except httpx.HTTPStatusError as error:
        return _refused(error.response)
    except httpx.HTTPError as error:
        return Answer(False, f"GitHub does not answer: {str(error) or type(error).__name__}.")
    return Answer(True, f"GitHub was told: {states(deployment)[0]}.")


def states(deployment: Deployment) -> tuple[str, str]:
    was_served = deployment.state == State.INACTIVE and deployment.published_at is not None
    return STATES[State.SUCCESS if was_served else State(deployment.state)]


def description(deployment: Deployment) -> str:
    if deployment.error_message:
        return _shortened(deployment.error_message)
    words = {"pending": "Deploying", "success": "Deployed", "inactive": "Overtaken"}
    return (
        f"{words.get(states(deployment)[0], 'Failed')}: #{deployment.number} to {deployment.site}"
    )


def _client(repository: Repository) -> httpx.Client:
    base = settings.CLOUDADMIN_GITHUB_API_URL.rstrip("/")
    return httpx.Client(
        base_url=f"{base}/repos/{repository.full_name}/",
        headers={
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {repository.status_token}",
            "User-Agent": "cloudadmin",
            "X-GitHub-Api-Version": "2022-11-28",
        },
        timeout=TIMEOUT,
        verify=tls.authorities(),
    )


def _set_commit_status(client: httpx.Client, deployment: Deployment) -> None:
    _look(deployment)
    is_preview = deployment.environment == Deployment.Environment.PREVIEW
    body = {
        "state": states(deployment)[0],
        "description": description(deployment),
        "context": f"cloudadmin/{deployment.site}{' preview' if is_preview else ''}",
        "target_url": address_of(deployment) or None,
    }
    client.post(f"statuses/{deployment.sha}", json=body).raise_for_status()


def _deployment_id(client: httpx.Client, deployment: Deployment) -> int:
    """Of GitHub's deployment: the one we made before, or a new one."""
    name, ours = environment(deployment), f"{deployment.site.uid}#{deployment.number}"
    params = {"sha": deployment.sha, "environment": name, "task": "deploy", "per_page": "100"}
    for row in _answer(client.get("deployments", params=params)):
        payload = row.get("payload")
        if isinstance(payload, dict) and payload.get("cloudadmin") == ours:
            return int(row["id"])
    is_production = deployment.environment == Deployment.Environment.PRODUCTION
    made = client.post(
        "deployments",
        json={
            "ref": deployment.sha,
            "environment": name,
            "description": description(deployment),
            "payload": {"cloudadmin": ours},
            # Neither merged with the default branch nor held up by checks: it is under way.
            "auto_merge": False,
            "required_contexts": [],
            "production_environment": is_production,
            "transient_environment": not is_production,
        },
    )
    return int(_answer(made)["id"])


def environment(deployment: Deployment) -> str:
    """One for every address: GitHub makes the earlier deployments of it inactive."""
    return " ".join(filter(None, (deployment.site.name, deployment.environment, deployment.label)))


def _set_deployment_status(client: httpx.Client, pk: int, deployment: Deployment) -> None:
    _look(deployment)
    body = {
        "state": states(deployment)[1],
        "description": description(deployment),
        "environment_url": address_of(deployment),
        "auto_inactive": True,
    }
    client.post(f"deployments/{pk}/statuses", json=body).raise_for_status()


def _look(deployment: Deployment) -> None:
    deployment.refresh_from_db(fields=["state", "published_at", "error_message"])


def _answer(response: httpx.Response) -> Any:
    response.raise_for_status()
    return response.json()


def _refused(response: httpx.Response) -> Answer:
    try:
        said = str(response.json().get("message", ""))
    except (ValueError, AttributeError):
        said = ""
    # GitHub says 403 for its rate limits too.
    # https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
    is_limit = response.status_code in BUSY or "rate limit" in said.lower()
    return Answer(
        False,
        f"GitHub answers {response.status_code} {said}".strip()[:300],
        is_final=response.is_client_error and not is_limit,
    )


def _shortened(text: str) -> str:
    return text if len(text) <= DESCRIPTION else f"{text[: DESCRIPTION - 1]}…"
