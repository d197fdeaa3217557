"""What ``headers.js`` makes of an answer on its way out, in the real engine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.edge.edge_index import MAX_RELEASE, release_key
from localcloud.function_runtime import FunctionRuntime
from sites.provisioning.package import script

CODE = script(Path(__file__).parents[2] / "lambda_src/router/headers.js")
CACHED = "public, max-age=60"


def pass_on(
    headers: Mapping[str, str] | None = None, status: int = 200, asked: str = "", **head: Any
) -> dict[str, Any]:
    """The response and its headers, for a host with this head."""
    store = {"h:example.com": json.dumps({"f": "", **head})} if head else {}
    request = {"host": {"value": "Example.com:443"}}
    if asked:
        request["x-cloudadmin-status"] = {"value": asked}
    given = {"etag": '"1"', "cache-control": CACHED, **(headers or {})}
    response = FunctionRuntime(CODE, store).run(
        {
            "request": {"uri": "/objects/x/a.html", "headers": request},
            "response": {
                "statusCode": status,
                "statusDescription": "OK",
                "headers": {name: {"value": value} for name, value in given.items()},
                "cookies": {},
            },
        }
    )
    plain = {name: field["value"] for name, field in response["headers"].items()}
    return {**response, "headers": plain}


def test_an_answer_without_anything_special_stays_as_it_is():
    heads: list[dict[str, Any]] = [{}, {"f": "san"}, {"to": "example.org"}]
    for head in heads:
        response = pass_on(**head)
        assert response["headers"] == {"etag": '"1"', "cache-control": CACHED}
        assert (response["statusCode"], response["statusDescription"]) == (200, "OK")


@pytest.mark.parametrize("status", [200, 206, 304])
def test_a_files_own_headers_come_out_of_its_metadata(status):
    own = {"x-frame-options": "DENY", "cache-control": "no-cache", "link": "</a>; rel=preload"}
    response = pass_on({"x-amz-meta-headers": json.dumps(own)}, status)
    assert response["headers"] == {"etag": '"1"', **own}
    assert response["statusCode"] == status


@pytest.mark.parametrize("text", ["", "{", "7", "null", '"x"', "[]", "=?UTF-8?B?e30=?="])
def test_other_metadata_of_that_name_breaks_nothing(text):
    assert pass_on({"x-amz-meta-headers": text})["headers"] == pass_on()["headers"]


@pytest.mark.parametrize(
    "name",
    ["connection", "content-length", "content-encoding", "via", "set-cookie", "upgrade", "te"]
    + ["proxy-authenticate", "x-amz-cf-id", "x-edge-location", "x-accel-buffering", "x-real-ip"],
)
def test_what_cloudfront_refuses_is_left_out(name):
    response = pass_on({"x-amz-meta-headers": json.dumps({name: "x", "x-own": "y"})})
    assert name not in response["headers"]
    assert response["headers"]["x-own"] == "y"


def test_a_preview_is_not_for_search_engines():
    assert pass_on(f="sx")["headers"]["x-robots-tag"] == "noindex"
    own = json.dumps({"x-robots-tag": "all"})
    assert pass_on({"x-amz-meta-headers": own}, f="x")["headers"]["x-robots-tag"] == "noindex"


def test_what_a_password_protects_nobody_else_keeps():
    own = json.dumps({"cache-control": "public"})
    for headers in ({}, {"x-amz-meta-headers": own}):
        assert pass_on(headers, p="x:1")["headers"]["cache-control"] == "private, no-cache"


@pytest.mark.parametrize(
    ("more", "status"), [({"asked": "404"}, 404), ({"asked": "410"}, 410), ({"f": "m"}, 503)]
)
def test_a_page_may_have_another_status(more: dict[str, Any], status: int):
    response = pass_on({"last-modified": "yesterday"}, **more)
    assert response["statusCode"] == status
    assert "statusDescription" not in response
    assert response["headers"].pop("retry-after", None) == ("300" if status == 503 else None)
    # Not to be asked for again with "if it changed": a 304 would bring the old status back.
    assert response["headers"] == {"cache-control": "no-store"}
    for kept in (206, 304):
        assert pass_on(status=kept, **more)["statusCode"] == kept


@pytest.mark.parametrize(
    ("content_type", "status", "is_page"),
    [
        ("text/html; charset=utf-8", 200, True),
        ("TEXT/HTML", 404, True),
        ("text/html", 304, True),
        ("", 304, True),
        ("", 200, False),
        ("text/htmlx", 200, False),
        ("text/css", 304, False),
    ],
)
def test_a_page_says_which_release_it_is_of(content_type: str, status: int, is_page: bool):
    given = {"content-type": content_type} if content_type else {}
    for release in (0, 1, 35, 36, MAX_RELEASE):
        headers = pass_on(given, status, r=release_key(release))["headers"]
        assert headers.get("server-timing") == (f'd;desc="{release}"' if is_page else None)
    assert "server-timing" not in pass_on(given, status)["headers"]
    assert "server-timing" not in pass_on(given, status, to="example.org")["headers"]


def test_a_pages_own_timings_stay():
    own = json.dumps({"server-timing": 'db;dur="5"'})
    given = {"content-type": "text/html", "x-amz-meta-headers": own}
    assert pass_on(given, r="000z")["headers"]["server-timing"] == 'db;dur="5", d;desc="35"'


@given(
    values=st.dictionaries(st.from_regex(r"x-[a-z]{1,20}", fullmatch=True), st.text(max_size=20))
)
def test_names_and_values_come_out_as_they_went_in(values):
    assert values.items() <= pass_on({"x-amz-meta-headers": json.dumps(values)})["headers"].items()
