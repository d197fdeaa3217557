"""Deployments on a real site through the real edge."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.conftest import Up
from tests.e2e.crawler import write

FILES = {
    "index.html": b"<!doctype html><p>release 1",
    **{f"chapter {n}/index.html": f"<p>release 1, chapter {n}".encode() for n in range(1, 30)},
    "assets/app.0123456789.js": b"window.release = 1;",
    "picture.svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "naïve ~ file+name.txt": b"names are not only letters",
}


def test_every_file_is_served_what_changed_is_uploaded_and_a_rollback_uploads_nothing(
    up: Up, host: str, tmp_path: Path
):
    write(tmp_path, FILES)
    assert up.deploy("deploys", tmp_path)["state"] == "success"
    with up.visitor(host) as visitor:
        for path, content in FILES.items():
            response = visitor.get(f"/{path}")
            assert (response.status_code, response.content) == (200, content), path
        assert visitor.get("/picture.svg").headers["content-type"] == "image/svg+xml"
        assert visitor.get("/chapter 1").headers["location"] == "/chapter%201/"
        missing = visitor.get("/nowhere")
        assert missing.status_code == 404
        assert "not found" in missing.text.lower()

        again = up.deploy("deploys", tmp_path)
        write(tmp_path, {f"chapter {n}/index.html": f"changed {n}".encode() for n in (1, 2, 3)})
        changed = up.deploy("deploys", tmp_path)
        assert (again["uploaded"], changed["uploaded"]) == (0, 3)
        assert visitor.get("/chapter 1/").text == "changed 1"

        up.forget_calls()
        up.manage("rollback_site", "deploys")
        puts = up.puts("deploys")
        assert len(puts) <= 1, "of three files; the error page has a fixed key"
        assert [put for put in puts if "/objects/" in put["path"]] == []
        assert "release 1" in visitor.get("/chapter 1/").text
