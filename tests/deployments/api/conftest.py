"""A site with its tokens, and a caller that shows one of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone
from limits.storage import MemoryStorage

from deployments import tokens
from deployments.api import access
from deployments.models import DeployToken, Scope
from sites.models import Role, Site
from tests.factories import SiteFactory, member

Call = Callable[..., HttpResponse]


@pytest.fixture
def site() -> Site:
    return SiteFactory(name="shop", live=True, serving=True)


@pytest.fixture(autouse=True)
def data_dir(settings, tmp_path) -> None:
    settings.DATA_DIR = tmp_path


@pytest.fixture(autouse=True)
def storage(monkeypatch) -> MemoryStorage:
    """In place of Redis, which counts for all processes."""
    storage = MemoryStorage()
    monkeypatch.setattr(access, "_storage", lambda url: storage)
    return storage


def issued(site: Site, *scopes: str) -> tuple[DeployToken, str]:
    expires_at = timezone.now() + timedelta(days=1)
    return tokens.issue(site, "CI", scopes, expires_at, member(Role.OWNER, site))


def token(site: Site, *scopes: str) -> str:
    return issued(site, *scopes)[1]


@pytest.fixture
def call(site: Site) -> Call:
    """``call(method, path, scopes…)``: a request for the site, or a path that begins with /."""
    return partial(_call, Client(), site)


def _call(
    client: Client, site: Site, method: str, path: str, *scopes: Scope, **kwargs: Any
) -> HttpResponse:
    url = f"/api/v1{path}" if path.startswith("/") else f"/api/v1/sites/{site.name}/{path}"
    headers = dict(kwargs.pop("headers", {}))
    if scopes:
        headers["Authorization"] = f"Bearer {token(site, *scopes)}"
    if "json" in kwargs:
        kwargs |= {"data": kwargs.pop("json"), "content_type": "application/json"}
    request = getattr(client, method)
    response: HttpResponse = request(url.rstrip("/"), headers=headers, **kwargs)
    return response
