"""From a push to a repository to a live site and a status at GitHub, and nothing for anybody else.

GitHub's part is played by a local repository, by its webhook as it is documented, and by a server
that answers as its API.
"""

from __future__ import annotations

import re

import httpx
import pytest

from tests.deployments.notifications.test_github import GitHub
from tests.deployments.pushes.origin import Origin, make_origin, pushed, signed
from tests.deployments.receiver import Receiver
from tests.e2e.conftest import Up, eventually
from tests.e2e.entrance import log_in_without_browser, post
from tests.localcloud import http

TOKEN = "ghp_1"
HOOK = re.compile(r"/hooks/github/[0-9a-f-]{36}")
SECRET = re.compile(r"\b[0-9a-f]{64}\b")


class Hook:
    """GitHub's side of the repository's webhook."""

    def __init__(self, up: Up, path: str, secret: str) -> None:
        self.up, self.secret = up, secret
        self.url = httpx.URL(up.run["dashboard"]).join(path)

    def send(self, body: bytes, signature: str | None = None, delivery: str = "1") -> int:
        given = signed(self.secret, body) if signature is None else signature
        headers = {"X-GitHub-Event": "push", "X-GitHub-Delivery": delivery}
        if given:
            headers["X-Hub-Signature-256"] = given
        return http.post(self.url, content=body, headers=headers, timeout=30).status_code

    def log(self) -> list[tuple[str, str]]:
        """Outcome and reason of each delivery, the first one first."""
        return self.up.query("SELECT outcome, reason FROM deployments_delivery ORDER BY id")

    def deployments(self) -> list[tuple[str, str, bool]]:
        """Those of commits."""
        return self.up.query(
            "SELECT d.sha, d.state, d.is_published FROM deployments_deployment d"
            " JOIN sites_site s ON s.id = d.site_id"
            " WHERE s.name = 'deploys' AND d.sha <> '' ORDER BY d.number"
        )


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Origin:
    return make_origin(tmp_path_factory.mktemp("git"))


@pytest.fixture(scope="module")
def hook(up: Up, live_host: str, origin: Origin) -> Hook:
    """Set up in the dashboard, as a person does, who sees the secret once."""
    with http.client(base_url=up.run["dashboard"], timeout=30, follow_redirects=True) as client:
        log_in_without_browser(up, client)
        add = "/deployments/repository/add/"
        option = re.search(r'<option value="(\d+)"[^>]*>\s*deploys\s*<', client.get(add).text)
        assert option
        shown = post(
            client,
            add,
            site=option[1],
            url=origin.url,
            full_name="acme/shop",
            production_branch="main",
            folder="public",
            token=TOKEN,
        ).text
    path, secret = HOOK.search(shown), SECRET.search(shown)
    assert path, shown
    assert secret, shown
    return Hook(up, path[0], secret[0])


def test_a_push_ends_as_a_live_site_and_a_reported_status(
    up: Up, hook: Hook, host: str, origin: Origin, github: Receiver
):
    GitHub(github)
    sha = origin.push({"public/index.html": "pushed", "README": "how it is built"})
    assert hook.send(pushed(sha)) == 202

    with up.visitor(host) as visitor:
        eventually(lambda: visitor.get("/").text == "pushed", within=60)
        assert visitor.get("/README").status_code == 404
    eventually(lambda: hook.deployments() == [(sha, "success", True)])
    eventually(
        lambda: [row["state"] for row in github.posts(f"/statuses/{sha}")][-1:] == ["success"],
        within=60,
    )

    # The same once more, whatever id it has.
    before = len(hook.log())
    assert hook.send(pushed(sha), delivery="2") == 422
    assert hook.log()[before:] == [
        ("refused", "The same content was accepted before; it counts once.")
    ]
    assert len(hook.deployments()) == 1


def test_what_github_did_not_send_does_nothing_and_is_logged(hook: Hook):
    body = pushed("c0ffee" + "0" * 34)
    before, deployments = len(hook.log()), hook.deployments()

    assert hook.send(body, signature="") == 401
    assert hook.send(body.replace(b"ada", b"eve"), signature=signed(hook.secret, body)) == 401
    assert hook.send(body, signature=signed("another secret", body)) == 401
    assert hook.send(b"x" * 1_000_001) == 413

    log = hook.log()[before:]
    assert [outcome for outcome, _ in log] == ["refused"] * 4
    assert "signed" in log[0][1]
    assert "larger" in log[3][1]
    assert hook.deployments() == deployments
