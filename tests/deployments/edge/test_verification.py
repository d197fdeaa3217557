"""What the edge is asked after a flip, and what counts as an answer."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from deployments.edge import verification
from deployments.edge.verification import Expected, check, expected, url_path
from deployments.manifest import Entry, Manifest
from deployments.models import DeploySettings
from deployments.rule_files.redirects import Redirect
from deployments.target import Target
from sites.models import Site
from tests.factories import SiteFactory

OWN, APEX, WWW = "d1.cloudfront.net", "example.com", "www.example.com"


@dataclass
class Edge:
    """Answers by host and path; counts what it was asked."""

    pages: dict[tuple[str, str], bytes] = field(default_factory=dict)
    moved: dict[tuple[str, str], str] = field(default_factory=dict)
    asked: list[tuple[str, str, str]] = field(default_factory=list)

    def serve(self, files: dict[str, bytes], host: str = OWN) -> None:
        self.pages |= {(host, url_path(path)): content for path, content in files.items()}


@contextmanager
def listening(edge: Edge) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            key = (self.headers["Host"], self.path)
            edge.asked.append((self.command, *key))
            body = edge.pages.get(key)
            location = edge.moved.get(key)
            self.send_response(301 if location else 404 if body is None else 200)
            if location:
                self.send_header("Location", location)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body or b"")

        do_HEAD = do_GET

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def edge(settings) -> Iterator[Edge]:
    edge = Edge()
    with listening(edge) as url:
        settings.CLOUDADMIN_EDGE_URL = url
        yield edge


def entries(files: dict[str, bytes]) -> dict[str, Entry]:
    return {
        path: Entry(hashlib.sha256(content).hexdigest(), len(content), "text/html", "no-cache")
        for path, content in files.items()
    }


def target(*attached: str, **redirects: str) -> Target:
    return Target("b", "s", "E", (OWN, *attached), redirects, frozenset(attached))


FILES = {"index.html": b"start", "a b/ü.html": b"page", "app.js": b"x" * 100_000}


def test_what_is_served_as_deployed_is_right(edge):
    edge.serve(FILES)
    assert check(target(), Expected(entries(FILES), gone=("old.html",))) is None
    assert len(edge.asked) == 4


@pytest.mark.parametrize(
    ("breaks", "path", "reason"),
    [
        (lambda edge: edge.serve({"app.js": b"y"}), "app.js", "other bytes"),
        (lambda edge: edge.pages.pop((OWN, "/")), "index.html", "404"),
        (lambda edge: edge.serve({"old.html": b"?"}), "old.html", "deleted"),
        (lambda edge: edge.moved.update({(OWN, "/app.js"): "/app.js"}), "app.js", "not answer"),
    ],
)
def test_what_is_not_as_deployed_is_found(
    edge: Edge, breaks: Callable[[Edge], object], path: str, reason: str
):
    edge.serve(FILES)
    breaks(edge)
    mismatch = check(target(), Expected(entries(FILES), gone=("old.html",)))
    assert mismatch is not None
    assert mismatch.path == path
    assert reason in mismatch.reason


def test_a_page_may_have_another_address_than_its_name(edge):
    edge.serve(FILES)
    page = edge.pages.pop((OWN, url_path("a b/ü.html")))
    edge.pages[OWN, "/clean/"] = page
    edge.moved[OWN, url_path("a b/ü.html")] = "/clean/"
    assert check(target(), Expected(entries(FILES))) is None


def test_large_files_are_only_asked_for_their_length(edge, monkeypatch):
    monkeypatch.setattr(verification, "MAX_READ", 1000)
    edge.serve(FILES | {"app.js": b"z" * 100_000})
    assert check(target(), Expected(entries(FILES))) is None
    assert ("HEAD", OWN, "/app.js") in edge.asked
    edge.serve({"app.js": b"z"})
    mismatch = check(target(), Expected(entries(FILES)))
    assert mismatch is not None
    assert "instead of 100000" in mismatch.reason


def test_every_domain_shows_the_start_page_or_the_way_to_it(edge):
    edge.serve(FILES)
    edge.serve({"index.html": b"start"}, APEX)
    edge.moved[WWW, "/"] = f"//{APEX}/"
    both = target(APEX, WWW, **{WWW: APEX})
    assert check(both, Expected(entries(FILES))) is None
    del edge.moved[WWW, "/"]
    mismatch = check(both, Expected(entries(FILES)))
    assert mismatch is not None
    assert WWW in mismatch.reason


def test_a_preview_is_asked_at_its_own_host(edge):
    host = "login.preview.example.com"
    edge.serve(FILES, host)
    assert check(target(APEX), Expected(entries(FILES)), host) is None
    assert {asked[1] for asked in edge.asked} == {host}


def test_an_edge_that_does_not_answer_is_said(settings):
    settings.CLOUDADMIN_EDGE_URL = "http://127.0.0.1:9"
    mismatch = check(target(), Expected(entries(FILES)))
    assert mismatch is not None
    assert "does not answer" in mismatch.reason


# --- What is asked --------------------------------------------------------------------------------


@pytest.fixture
def site(db: None) -> Site:
    return SiteFactory()


def many(count: int) -> Manifest:
    return Manifest(entries({f"{number:04}.html": b"" for number in range(count)}))


def test_changed_files_come_first_and_both_kinds_have_a_cap(site):
    manifest = many(2000)
    paths = list(manifest.entries)
    wanted = expected(site, manifest, paths[1000:1010])
    assert list(wanted.files)[:10] == paths[1000:1010]
    assert 10 < len(wanted.files) <= 10 + verification.OTHERS
    everything = expected(site, manifest, paths)
    assert 500 < len(everything.files) <= verification.MAX_CHANGED + verification.OTHERS


def test_deleted_addresses_are_gone_unless_something_else_answers_there(site):
    manifest = Manifest(entries({"about.html": b"", "index.html": b""}))
    deleted = ["about/index.html", "old.html", "app.js", "news/index.html"]
    assert expected(site, manifest, (), deleted).gone == ("news/index.html", "old.html")
    Site.objects.update(is_spa=True)
    assert expected(site, manifest, (), deleted).gone == ()


def test_what_needs_a_password_is_left_out_and_that_is_said(site):
    DeploySettings.objects.create(site=site, protection=[{"path": "/secret/"}])
    wanted = expected(site, Manifest(entries({"secret/a.html": b"", "b.html": b""})))
    assert list(wanted.files) == ["b.html"]
    assert "/secret/" in wanted.skipped


def test_in_maintenance_nothing_is_asked_and_that_is_said(site):
    DeploySettings.objects.create(site=site, is_in_maintenance=True)
    wanted = expected(site, many(3))
    assert (wanted.files, wanted.gone) == ({}, ())
    assert "maintenance" in wanted.skipped


def test_rules_that_hide_files_are_respected(site):
    files = entries({"old/a.html": b"", "new/a.html": b"", "blog/index.html": b""})
    rules = (
        Redirect("/old/*", "/new/:splat", force=True),
        Redirect("/blog/", "/new/", force=True),
        Redirect("/*", "/index.html", 200),
    )
    wanted = expected(site, Manifest(files, rules), (), ["gone.html"])
    assert list(wanted.files) == ["new/a.html"]
    assert wanted.gone == ()
