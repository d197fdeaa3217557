"""A new site on its way, and who makes it."""

from __future__ import annotations

import io
import zipfile
from unittest import mock

import pytest
from celery import current_app
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponseRedirect
from django.urls import reverse

from deployments.models import Launch
from sites import prospects
from sites.models import Role
from sites.provisioning.plan import Create, Plan
from sites.provisioning.preflight import Finding
from tests.factories import AccountFactory, TeamFactory, member

BUCKET = Create("bucket", "bucket", "cloudadmin-blog")
DATABASE = Create("db_instance", "db_instance", "cloudadmin-db", usual_wait=400)
PLAN = Plan((BUCKET,), (DATABASE,))
CAA = Finding("caa", "example.com", "CAA forbids Amazon.", "Add a record.", blocks=True)


def zipped(**files: str) -> SimpleUploadedFile:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "."), content)
    return SimpleUploadedFile("blog.zip", data.getvalue())


@pytest.fixture(autouse=True)
def data_dir(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    return tmp_path


@pytest.fixture
def plan(monkeypatch):
    monkeypatch.setattr(prospects, "findings", mock.create_autospec(prospects.findings))
    prospects.findings.return_value = ()  # type: ignore[attr-defined]
    planned = mock.create_autospec(prospects.plan, return_value=PLAN)
    monkeypatch.setattr(prospects, "plan", planned)
    return planned


@pytest.fixture
def run_operation(monkeypatch):
    sent = mock.create_autospec(current_app.send_task)
    monkeypatch.setattr(current_app, "send_task", sent)
    return sent


@pytest.fixture
def person(client):
    """An operator of one team."""
    team = TeamFactory()
    user = member(Role.OPERATOR, team)
    client.force_login(user)
    AccountFactory()
    return user


def send(client, url=None, **fields) -> str:
    """Where the first screen leads."""
    fields = {"name": "blog", "source": "files", **fields}
    answer: HttpResponseRedirect = client.post(url or reverse("new-site"), fields)
    return answer.url


def page(client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200, url
    shown: str = response.content.decode()
    return shown


def drafted(client, **fields) -> tuple[Launch, str]:
    url = send(client, **{"source": "sample", **fields})
    return Launch.objects.latest("pk"), url
