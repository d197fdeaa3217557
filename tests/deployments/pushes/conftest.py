"""A site with a repository, and the work that a web process leaves to workers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

import deployments.tasks  # noqa: F401  names the tasks
from cloudadmin.celery import app
from deployments.models import Repository
from sites.models import Site
from tests.deployments.pushes.origin import Origin, make_origin, signed
from tests.factories import RepositoryFactory

Post = Callable[..., Any]


@pytest.fixture
def repository(site: Site) -> Repository:
    return RepositoryFactory(site=site, preview_branches=["feature/*"])


@pytest.fixture
def origin(tmp_path: Path, repository: Repository, settings) -> Origin:
    """The repository's, on this machine."""
    settings.CLOUDADMIN_GIT_SCHEMES = ["file"]
    made = make_origin(tmp_path)
    repository.url = made.url
    repository.save()
    return made


@pytest.fixture(autouse=True)
def enqueued(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[int]]]:
    """What was left to workers, instead of Redis."""
    found: list[tuple[str, list[int]]] = []

    def send_task(name: str, args: Iterable[int] = (), *rest: object, **options: object) -> None:
        found.append((name, list(args)))

    monkeypatch.setattr(app, "send_task", send_task)
    return found


@pytest.fixture
def post(client: Client, repository: Repository, django_capture_on_commit_callbacks) -> Post:
    """Send a body to the repository's hook, signed if nothing else is said."""

    def post(body: bytes, uid: object = None, **headers: str) -> Any:
        sent = {"X-Hub-Signature-256": signed(repository.secret, body), **headers}
        with django_capture_on_commit_callbacks(execute=True):
            return client.post(
                reverse("github-hook", args=[uid or repository.uid]),
                body,
                content_type="application/json",
                headers={name: value for name, value in sent.items() if value},
            )

    return post


@pytest.fixture
def work(enqueued, django_capture_on_commit_callbacks) -> Callable[[], None]:
    """Do what was left to workers, until nothing is."""

    def work() -> None:
        while enqueued:
            name, arguments = enqueued.pop(0)
            with django_capture_on_commit_callbacks(execute=True):
                app.tasks[name](*arguments)

    return work
