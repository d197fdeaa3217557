"""Sites that lie in a bucket, against the emulator's S3."""

import uuid

import pytest

from cloudadmin.aws import ClientError, Clients
from deployments.source import Limits, bucket
from deployments.source.opening import open_source
from tests.deployments.source.trees import NAMES, SITE, opened_files, refusal


@pytest.fixture
def store(clients):
    """A bucket's name, and how to fill it."""
    name = f"source-{uuid.uuid4().hex[:12]}"
    clients.s3.create_bucket(Bucket=name)

    def fill(files):
        for key, content in files.items():
            clients.s3.put_object(Bucket=name, Key=key, Body=content)
        return name

    return fill


def test_what_is_under_a_prefix_is_downloaded(clients, store):
    files = {**SITE, **dict.fromkeys(NAMES, b"content")}
    name = store({f"dist/{path}": content for path, content in files.items()})
    store({"dist/": b"", "dist/css/": b"", "distant/x": b"", "dist/.DS_Store": b"", "x": b""})
    assert opened_files(f"s3://{name}/dist", clients=clients) == files
    assert opened_files(f"s3://{name}/dist/", clients=clients) == files


def test_a_whole_bucket_may_be_named(clients, store):
    name = store({"data.bin": bytes(3 * bucket.CHUNK + 5), **SITE})
    with open_source(f"s3://{name}", clients=clients) as opened:
        assert (opened.root / "data.bin").stat().st_size == 3 * bucket.CHUNK + 5


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"a\\b": b""}, "backslash"),
        ({"a//b": b""}, "empty part"),
        ({"../b": b""}, "“..”"),
        ({"INDEX.html": b""}, "are one name"),
        ({"css": b""}, "both a file and a folder"),
        ({"a\u202eb": b""}, "reorder"),
        ({".env": b""}, ".env belongs to the workshop"),
    ],
)
def test_a_key_that_is_refused(clients, store, files, words):
    name = store({f"dist/{path}": content for path, content in {**SITE, **files}.items()})
    assert words in refusal(f"s3://{name}/dist", clients=clients)


def test_limits_hold_before_a_byte_is_downloaded(clients, store):
    name = store(SITE)
    assert "more than 1 files" in refusal(f"s3://{name}", clients=clients, limits=Limits(files=1))
    small = Limits(file_bytes=5)
    assert "is larger than 5 bytes" in refusal(f"s3://{name}", clients=clients, limits=small)
    no_time = Limits(seconds=-1)
    assert "not all was here" in refusal(f"s3://{name}", clients=clients, limits=no_time)


def test_what_is_wrong_is_said(clients, store):
    assert "name a bucket" in refusal("s3:///x", clients=clients)
    assert "there is no such bucket" in refusal(f"s3://x{uuid.uuid4().hex}", clients=clients)
    assert "no files in it" in refusal(f"s3://{store({})}/nowhere", clients=clients)
    assert "the rights of a site's account" in refusal("s3://bucket/x")


def test_an_object_that_is_gone_meanwhile_is_named(clients, store, monkeypatch):
    name = store(SITE)
    listed = bucket._judged(clients, name, "", Limits())
    monkeypatch.setattr(bucket, "_judged", lambda *_: {**listed, "gone.html": 1})
    assert "“gone.html” did not come" in refusal(f"s3://{name}", clients=clients)
    monkeypatch.setattr(bucket, "_judged", lambda *_: {**listed, "index.html": 99})
    assert "“index.html” changed while" in refusal(f"s3://{name}", clients=clients)


def test_what_aws_says_otherwise_is_left_as_it_is(clients: Clients, monkeypatch):
    def throttled(name):
        raise ClientError({"Error": {"Code": "SlowDown", "Message": ""}}, "ListObjectsV2")

    monkeypatch.setattr(clients.s3, "get_paginator", throttled)
    with pytest.raises(ClientError), open_source("s3://bucket", clients=clients):
        pass
