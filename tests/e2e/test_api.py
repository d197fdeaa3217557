"""A script that deploys as docs/api.md says."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.e2e.conftest import Up, eventually
from tests.localcloud import http

FILES = {"index.html": b"by the API", "two words/index.html": b"two", "app.css": b"p { top: 0 }"}


class Script:
    """What a CI does with its token."""

    def __init__(self, up: Up, client: httpx.Client) -> None:
        self.up, self.client = up, client

    def ask(self, method: str, path: str, expect: int, scope: str = "deploy", **body: Any) -> Any:
        """``body`` is sent as JSON."""
        response = self.client.request(
            method,
            f"api/v1/sites/deploys{path}",
            headers={"Authorization": f"Bearer {self.tokens[scope]}"},
            json=body or None,
        )
        assert response.status_code == expect, response.text
        return response.json()

    @property
    def tokens(self) -> dict[str, str]:
        if not hasattr(self, "_tokens"):
            self._tokens = {
                scope: json.loads(
                    self.up.manage("create_token", "deploys", "--scope", scope, "--json").stdout
                )["token"]
                for scope in ("deploy", "rollback")
            }
        return self._tokens

    def deploy(self, files: dict[str, bytes]) -> tuple[dict[str, Any], list[str]]:
        """Negotiate, send what is missing, finalize, wait; the deployment, and what was sent."""
        listed = [
            {"path": path, "sha256": hashlib.sha256(body).hexdigest(), "size": len(body)}
            for path, body in files.items()
        ]
        answer = self.ask("POST", "/manifests", 201, files=listed, ref="main")
        sent = []
        for upload in answer["uploads"]:
            put = http.put(
                upload["url"], content=files[upload["path"]], headers=upload["headers"], timeout=30
            )
            assert put.status_code == 200, put.text
            sent.append(upload["path"])
        number = answer["deployment"]["number"]
        self.ask("POST", f"/deployments/{number}/finalize", 202)
        return self.ended(number), sent

    def send(self, page: str) -> int:
        """An archive of one page, which a worker unpacks and uploads; the deployment's number."""
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("index.html", page)
        response = self.client.post(
            "api/v1/sites/deploys/deployments",
            headers={
                "Authorization": f"Bearer {self.tokens['deploy']}",
                "Content-Type": "application/zip",
            },
            content=packed.getvalue(),
        )
        assert response.status_code == 202, response.text
        return int(response.json()["number"])

    def ended(self, number: int) -> dict[str, Any]:
        found: dict[str, Any] = {}

        def is_over() -> bool:
            found.update(self.ask("GET", f"/deployments/{number}", 200))
            return found["state"] not in ("queued", "in_progress")

        eventually(is_over, within=60)
        return found


@pytest.fixture
def script(up: Up, host: str) -> Iterator[Script]:
    with http.client(base_url=up.run["dashboard"], timeout=30) as client:
        yield Script(up, client)


def test_a_script_deploys_what_changed_and_rolls_back(up: Up, host: str, script: Script):
    first, sent = script.deploy(FILES)
    assert sorted(sent) == sorted(FILES)
    assert first["state"] == "success"
    second, sent = script.deploy({**FILES, "index.html": b"changed"})
    assert sent == ["index.html"]
    assert second["state"] == "success"

    with up.visitor(host) as visitor:
        eventually(lambda: visitor.get("/").content == b"changed")
        assert visitor.get("/two%20words/").content == b"two"

        script.ask("POST", "/rollback", 403, scope="deploy", number=first["number"])
        assert visitor.get("/").content == b"changed"

        script.ask("POST", "/rollback", 200, scope="rollback", number=first["number"])
        eventually(lambda: visitor.get("/").content == FILES["index.html"])
    script.ask("DELETE", "/hold", 200, scope="rollback")


def test_uploads_that_take_long_hold_up_no_other(up: Up, script: Script):
    up.forget_calls()
    with up.fault("s3.PutObject", "delay", seconds=600, times=2):
        slow = [script.send(f"slow {number}") for number in range(2)]
        eventually(lambda: len(up.puts("deploys")) == 2, within=60)
        assert script.ended(script.send("quick"))["state"] == "success"
        told = [script.ask("GET", f"/deployments/{number}", 200)["state"] for number in slow]
        assert told == ["in_progress", "in_progress"]
    assert [script.ended(number)["state"] for number in slow] == ["inactive", "inactive"]
