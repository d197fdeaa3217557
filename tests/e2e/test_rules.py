"""``_headers`` and ``_redirects``: live with a release, and gone with it."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.conftest import Up, eventually
from tests.e2e.crawler import write

FILES = {
    "index.html": b"start",
    "blog/spring.html": b"spring",
    "data.csv": b"1,2",
    "app/index.html": b"app",
}
RULES = {
    "_headers": b"/*\n  X-Made-By: hand\n/*.csv\n  Content-Disposition: attachment\n",
    "_redirects": (
        b"/news/* /blog/:splat 302\n"
        b"/store id=:id /shop/:id 308\n"
        b"/app/* /app/index.html 200\n"
        b"/blog/spring /elsewhere\n"
    ),
}


def test_rules_come_and_go_with_their_release(up: Up, host: str, tmp_path: Path):
    plain = up.deploy("deploys", write(tmp_path / "plain", FILES))
    up.deploy("deploys", write(tmp_path / "ruled", {**FILES, **RULES}))

    with up.visitor(host) as visitor:

        def leads(path: str) -> tuple[int, str]:
            answer = visitor.get(path)
            return answer.status_code, answer.headers.get("location", "")

        assert visitor.get("/").headers["x-made-by"] == "hand"
        assert visitor.get("/data.csv").headers["content-disposition"] == "attachment"
        assert leads("/news/spring") == (302, "/blog/spring")
        assert leads("/store?id=7") == (308, "/shop/7")
        assert visitor.get("/app/deep/inside").content == FILES["app/index.html"]
        assert leads("/blog/spring") == (200, ""), "a file wins over a rule"
        assert visitor.get("/_redirects").status_code == 404

        up.manage("rollback_site", "deploys", "--to", str(plain["number"]))
        eventually(lambda: leads("/news/spring")[0] == 404)
        assert "x-made-by" not in visitor.get("/").headers
        assert visitor.get("/app/deep/inside").status_code == 404


def test_a_rule_that_cannot_be_is_refused_by_its_line(up: Up, tmp_path: Path):
    wrong = {**FILES, "_redirects": b"/a /b\n/c https://elsewhere.example.com/:splat 200\n"}
    done = up.manage("deploy_site", "demo", write(tmp_path, wrong), expect=1)

    assert "_redirects" in done.stderr
    assert "2" in done.stderr
    assert "https://elsewhere.example.com/:splat" in done.stderr
