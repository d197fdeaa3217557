"""Both functions of a site where visitors meet them: provisioned, behind the edge's cache."""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from deployments.edge import edge_rules
from deployments.edge.edge_index import Index, append, head, head_key, release_key
from deployments.rule_files.redirects import parse
from sites import provisioning
from sites.stacks import edge_code
from tests.localcloud.conftest import LocalCloud, eventually
from tests.sites.provisioning.conftest import World

RULES = """
/old/*    /new/:splat       301
/gone     /404.html         410
/         /at.html          200!  Country=AT
/peek     /secret/page      200
"""
FILES = {
    "index.html": b"start",
    "at.html": "Grüß Gott".encode(),
    "404.html": b"nothing here",
    "secret/page.html": b"secret",
    "maintenance.html": b"back soon",
}
PASSWORD = "correct horse"


class Visited:
    """A live site whose head can be changed; what visitors of it are answered."""

    def __init__(self, cloud: LocalCloud, world: World) -> None:
        self.cloud, self.clients = cloud, world.clients
        rows = world.site_store.rows
        self.bucket = rows["bucket"].physical_id
        self.store_arn = rows["key_value_store"].attributes["arn"]
        self.host = rows["distribution"].attributes["domain_name"]
        self.index = append(Index(), 1, {path: hash_of(path) for path in FILES})
        row = {"path": "/secret", **edge_rules.hashed(PASSWORD)}
        self.rules = edge_rules.rules(parse(RULES))
        self.locks = edge_rules.protection([row], "key" * 10)
        for path, body in FILES.items():
            self._put(f"objects/{hash_of(path)}/{path}", body)
        self._put("errors/404.html", b"not found")
        self.write({**self.index.puts, **self.rules.puts, **self.locks.puts})

    def _put(self, key: str, body: bytes) -> None:
        self.clients.s3.put_object(
            Bucket=self.bucket,
            Key=key,
            Body=body,
            ContentType="text/html; charset=utf-8",
            CacheControl="public, max-age=60",
            Metadata={"headers": json.dumps({"x-own": key.rpartition("/")[2]})},
        )

    def write(self, values: Mapping[str, str]) -> None:
        store = self.clients.keyvaluestore
        store.update_keys(
            KvsARN=self.store_arn,
            IfMatch=store.describe_key_value_store(KvsARN=self.store_arn)["ETag"],
            Puts=[{"Key": key, "Value": value} for key, value in values.items()],
        )

    def name(self, flags: str = "", **fields: str) -> None:
        """The head, as it reaches the edge."""
        value = json.loads(head(1, self.index.index, flags)) | fields | {"t": uuid.uuid4().hex}
        self.write({head_key(self.host): json.dumps(value)})

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.cloud.get(self.host, path, headers=headers)


def hash_of(path: str) -> str:
    return hashlib.sha256(path.encode()).hexdigest()[:22]


@pytest.fixture(scope="module")
def visited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visited]:
    cloud = LocalCloud(Path(tmp_path_factory.mktemp("cloud")))
    cloud.start()
    clients = cloud.clients
    account_id = clients.sts.get_caller_identity()["Account"]
    uid = str(uuid.uuid4())
    spec = provisioning.SiteSpec(uid, "edge", account_id, "us-east-1", has_counter=False)
    world = World(clients, None, spec, **edge_code())
    assert eventually(lambda: world.advance() == provisioning.Done(), 60)
    yield Visited(cloud, world)
    cloud.stop()


def seen(visited: Visited, path: str, check: Any, **headers: str) -> httpx.Response:
    """The answer, once the head has reached the edge."""

    def look() -> httpx.Response | None:
        response = visited.get(path, **headers)
        return response if check(response) else None

    found = eventually(look)
    assert found is not None
    return found


def test_a_files_headers_stay_through_the_cache_and_a_304(visited: Visited):
    visited.name()
    first = seen(visited, "/", lambda r: r.status_code == 200)
    again = visited.get("/")
    assert again.headers["x-cache"].startswith("Hit")
    unchanged = visited.get("/", **{"If-None-Match": first.headers["etag"]})
    assert unchanged.status_code == 304
    for response in (first, again, unchanged):
        assert response.headers["x-own"] == "index.html"
        assert "x-amz-meta-headers" not in response.headers
    part = visited.get("/", Range="bytes=1-2")
    assert (part.status_code, part.text, part.headers["x-own"]) == (206, "ta", "index.html")
    missing = visited.get("/none")
    assert (missing.status_code, missing.text) == (404, "not found")


def test_a_page_says_which_release_it_is_of_also_from_the_cache_and_after_a_flip(visited: Visited):
    for release in (36, 1):
        visited.name(r=release_key(release))
        told = f'd;desc="{release}"'
        page = seen(visited, "/", lambda r, told=told: r.headers.get("server-timing") == told)
        again = visited.get("/", **{"If-None-Match": page.headers["etag"]})
        assert (again.status_code, again.headers["server-timing"]) == (304, told)
        assert visited.get("/").headers["server-timing"] == told


def test_redirect_rules_with_country_and_status(visited: Visited):
    visited.name(q=visited.rules.head)
    moved = seen(visited, "/old/a%20b?x=1", lambda r: r.status_code == 301)
    assert moved.headers["location"] == "/new/a%20b?x=1"
    assert visited.get("/").text == "start"
    austria = visited.get("/", **{"X-Localcloud-Viewer-Country": "AT"})
    assert austria.content == FILES["at.html"]
    for _ in range(2):
        gone = visited.get("/gone")
        assert (gone.status_code, gone.content) == (410, FILES["404.html"])
        assert gone.headers["cache-control"] == "no-store"
    assert visited.get("/404").status_code == 200


def test_a_password_opens_with_basic_and_with_a_session(visited: Visited):
    visited.name(p=visited.locks.head, q=visited.rules.head)
    seen(visited, "/secret/page", lambda r: r.status_code == 401)
    assert visited.get("/peek").status_code == 401
    credentials = "Basic " + base64.b64encode(f"anyone:{PASSWORD}".encode()).decode()
    page = visited.get("/secret/page", Authorization=credentials)
    assert page.content == FILES["secret/page.html"]
    assert page.headers["cache-control"] == "private, no-cache"
    # Cached now, and still behind the password.
    assert visited.get("/secret/page").status_code == 401
    login = visited.get("/secret/page", Authorization=credentials, **{"X-Cloudadmin-Login": "1"})
    assert (login.status_code, login.headers["cache-control"]) == (204, "no-store")
    cookie = login.headers["set-cookie"]
    assert {"Secure", "HttpOnly", "SameSite=Lax"} <= set(cookie.split("; "))
    again = visited.get("/peek", Cookie=cookie.partition(";")[0])
    assert again.content == FILES["secret/page.html"]


def test_a_preview_and_maintenance(visited: Visited):
    visited.name("x")
    preview = seen(visited, "/", lambda r: "x-robots-tag" in r.headers)
    assert preview.headers["x-robots-tag"] == "noindex"
    assert visited.get("/robots.txt").text == "User-agent: *\nDisallow: /\n"
    visited.name("m")
    resting = seen(visited, "/any", lambda r: r.status_code == 503)
    assert resting.content == FILES["maintenance.html"]
    assert (resting.headers["retry-after"], resting.headers["cache-control"]) == ("300", "no-store")
