"""Deployments on a real site through the real edge."""

from __future__ import annotations

import hashlib
import re
import threading
import time
from pathlib import Path

import httpx
import pytest

from tests.e2e.conftest import Up


@pytest.fixture(scope="module")
def host(up: Up) -> str:
    return up.live_site("releases", "--no-counter")


def write_site(folder: Path, release: int, pages: int = 30) -> Path:
    """A site whose every page names its release and the fingerprinted script of that release."""
    script = f"window.release = {release};"
    name = f"app.{hashlib.sha256(script.encode()).hexdigest()[:10]}.js"
    (folder / "assets").mkdir(parents=True, exist_ok=True)
    for old in (folder / "assets").iterdir():
        old.unlink()
    (folder / "assets" / name).write_text(script)
    for number in range(pages):
        page = folder / ("index.html" if number == 0 else f"chapter {number}/index.html")
        page.parent.mkdir(exist_ok=True)
        page.write_text(
            f'<!doctype html><p>release {release}<script src="/assets/{name}"></script>'
        )
    (folder / "picture.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (folder / "naïve ~ file+name.txt").write_text("names are not only letters")
    return folder


def test_every_file_is_served_as_it_is(up: Up, host: str, tmp_path: Path):
    site = write_site(tmp_path, 1)
    result = up.deploy("releases", site)

    assert result["state"] == "success"
    with up.visitor(host) as visitor:
        for path in (path for path in site.rglob("*") if path.is_file()):
            response = visitor.get("/" + str(path.relative_to(site)))
            assert response.status_code == 200
            assert response.content == path.read_bytes()
        assert visitor.get("/picture.svg").headers["content-type"] == "image/svg+xml"
        assert visitor.get("/chapter 1").headers["location"] == "/chapter%201/"
        missing = visitor.get("/nowhere")
        assert missing.status_code == 404
        assert "not found" in missing.text.lower()


def test_only_what_changed_is_uploaded_and_a_rollback_uploads_nothing(
    up: Up, host: str, tmp_path: Path
):
    site = write_site(tmp_path, 1)
    up.deploy("releases", site)
    again = up.deploy("releases", site)
    for number in (1, 2, 3):
        (site / f"chapter {number}" / "index.html").write_text(f"changed {number}")
    changed = up.deploy("releases", site)

    assert again["uploaded"] == 0
    assert changed["uploaded"] == 3
    with up.visitor(host) as visitor:
        assert visitor.get("/chapter 1/").text == "changed 1"
        started = time.monotonic()
        up.manage("rollback_site", "releases")
        assert "release 1" in visitor.get("/chapter 1/").text
        assert time.monotonic() - started < 10
    assert up.status("releases")["deployment"] == again["number"]


def test_a_visitor_never_meets_half_a_release(up: Up, host: str, tmp_path: Path):
    up.deploy("releases", write_site(tmp_path, 100))
    done = threading.Event()
    problems: list[str] = []
    visits = 0

    def visit() -> None:
        nonlocal visits
        with up.visitor(host) as visitor:
            while not done.is_set():
                problems.extend(problems_of_a_visit(visitor, visits % 30))
                visits += 1

    thread = threading.Thread(target=visit)
    thread.start()
    try:
        for release in range(101, 105):
            assert up.deploy("releases", write_site(tmp_path, release))["state"] == "success"
    finally:
        done.set()
        thread.join()

    assert problems == []
    assert visits > 20


def problems_of_a_visit(visitor: httpx.Client, number: int) -> list[str]:
    page = visitor.get("/" if number == 0 else f"/chapter {number}/")
    if page.status_code != 200:
        return [f"page {number}: {page.status_code}"]
    release = re.search(r"release (\d+)", page.text)
    script = re.search(r'src="([^"]+)"', page.text)
    assert release
    assert script
    asset = visitor.get(script[1])
    if asset.status_code != 200 or f"release = {release[1]};" not in asset.text:
        return [f"page of release {release[1]}: its script is {asset.status_code} {asset.text}"]
    return []
