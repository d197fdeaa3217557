"""What the bucket is asked for, and what its answers mean."""

from __future__ import annotations

from datetime import timedelta

import pytest
from obstore.store import S3Store

from deployments import salvage
from deployments.manifest import Entry
from tests.deployments.receiver import Receiver, Reply, Request

PATHS = ["a.html", "b.html", "c.html"]
ENTRIES = {path: Entry("0" * 64, 5, "text/html", "no-cache") for path in PATHS}


@pytest.fixture
def store(receiver: Receiver) -> S3Store:
    return S3Store(
        "bucket",
        endpoint=receiver.url,
        region="us-east-1",
        access_key_id="x",
        secret_access_key="x",
        client_options={"allow_http": True},
        retry_config={"max_retries": 0, "retry_timeout": timedelta(seconds=1)},
    )


def head(size: int) -> Reply:
    stamp = "Wed, 01 Jul 2026 00:00:00 GMT"
    return 200, {"Content-Length": str(size), "Last-Modified": stamp, "ETag": '"x"'}, b""


@pytest.mark.parametrize("status", [403, 404, 503])
def test_what_the_bucket_does_not_say_is_there_is_sent(store, receiver, status):
    def reply(request: Request) -> Reply:
        return head(5) if request.path.endswith("/a.html") else (status, {}, b"")

    receiver.reply = reply
    assert salvage.present(store, ENTRIES, PATHS) == {"a.html"}


def test_what_is_there_in_another_length_is_not_it(store, receiver):
    receiver.reply = lambda request: head(5 if request.path.endswith("/b.html") else 4)
    assert salvage.present(store, ENTRIES, PATHS) == {"b.html"}
