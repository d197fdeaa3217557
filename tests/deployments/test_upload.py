"""Uploads, against the emulator's S3."""

import hashlib
import threading
import uuid
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from obstore.store import S3Store

from deployments.injection import inject
from deployments.manifest import build, object_key
from deployments.upload import (
    FEWEST,
    MOST,
    PART,
    ManifestChanged,
    Pace,
    UploadError,
    _Memory,
    upload,
)

FILES = {
    "index.html": b"<h1>Hello</h1>",
    "empty.txt": b"",
    "a b/ü+%~#?&*'.css": b"body{}",
    "assets/app-3f2a9c1b.js": b"x" * 300_000,
}


@pytest.fixture
def bucket(clients):
    name = f"upload-{uuid.uuid4().hex[:12]}"
    clients.s3.create_bucket(Bucket=name)
    return name


@pytest.fixture
def root(tmp_path):
    for path, content in FILES.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    return tmp_path


def keys(clients, bucket):
    pages = clients.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return {found["Key"] for page in pages for found in page.get("Contents", [])}


def test_every_file_arrives_with_its_headers(clients, bucket, root):
    entries = build(root).entries
    seen = []
    done = upload(
        clients.object_store(bucket),
        root,
        entries,
        on_progress=lambda files, size: seen.append((files, size)),
    )
    assert (done.objects, done.bytes) == (len(FILES), sum(map(len, FILES.values())))
    assert seen == sorted(seen)
    assert seen[-1] == (done.objects, done.bytes)
    assert keys(clients, bucket) == {object_key(path, entry) for path, entry in entries.items()}
    for path, entry in entries.items():
        found = clients.s3.get_object(Bucket=bucket, Key=object_key(path, entry))
        assert found["Body"].read() == FILES[path]
        assert found["ContentType"] == entry.content_type
        assert found["CacheControl"] == entry.cache_control


def test_a_large_file_goes_in_parts(clients, bucket, tmp_path):
    content = b"0123456789abcdef" * (2 * PART // 16) + b"end"
    (tmp_path / "film.mp4").write_bytes(content)
    entries = build(tmp_path).entries
    assert upload(clients.object_store(bucket), tmp_path, entries).bytes == len(content)
    key = object_key("film.mp4", entries["film.mp4"])
    body = clients.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    assert hashlib.sha256(body).digest() == hashlib.sha256(content).digest()


@pytest.mark.parametrize("size", [10, 2 * PART + 1])
def test_a_file_that_changed_is_not_stored(clients, bucket, tmp_path, size):
    file = tmp_path / "page.html"
    file.write_bytes(b"a" * size)
    entries = build(tmp_path).entries
    file.write_bytes(b"b" * size)
    with pytest.raises(ManifestChanged, match=r"“page.html” changed while it was deployed"):
        upload(clients.object_store(bucket), tmp_path, entries)
    assert keys(clients, bucket) == set()


def test_a_page_is_sent_with_the_snippet(clients, bucket, root):
    (root / "index.html").write_bytes(b"<html>1</html>")
    entries = build(root, injects=True).entries
    upload(clients.object_store(bucket), root, entries, injects=True)
    for path, content in {**FILES, "index.html": inject(b"<html>1</html>")}.items():
        key = object_key(path, entries[path])
        assert clients.s3.get_object(Bucket=bucket, Key=key)["Body"].read() == content


@pytest.mark.parametrize("content", [b"<html>2</html>", inject(b"<html>1</html>")[:-7], b""])
def test_a_page_that_changed_is_not_stored(clients, bucket, root, content):
    (root / "index.html").write_bytes(b"<html>1</html>")
    entry = build(root, injects=True).entries["index.html"]
    (root / "index.html").write_bytes(content)
    with pytest.raises(ManifestChanged, match=r"“index.html” changed while it was deployed"):
        upload(clients.object_store(bucket), root, {"index.html": entry}, injects=True)
    assert keys(clients, bucket) == set()


def test_a_file_that_is_gone_is_named(clients, bucket, root):
    entries = build(root).entries
    (root / "index.html").unlink()
    with pytest.raises(ManifestChanged, match=r"“index.html” can no longer be read"):
        upload(clients.object_store(bucket), root, entries)


def test_a_bucket_that_refuses_is_reported_with_the_file(clients, root):
    entries = {"index.html": build(root).entries["index.html"]}
    with pytest.raises(UploadError, match=r"“index.html” was not taken by the bucket"):
        upload(clients.object_store("no-such-bucket-anywhere"), root, entries)


def test_nothing_to_send_is_no_request(clients, root):
    assert upload(clients.object_store("no-such-bucket-anywhere"), root, {}).objects == 0


def test_more_files_than_requests_in_flight(clients, bucket, tmp_path):
    for number in range(300):
        (tmp_path / f"{number}.txt").write_text(str(number))
    entries = build(tmp_path).entries
    assert upload(clients.object_store(bucket), tmp_path, entries).objects == 300
    assert len(keys(clients, bucket)) == 300


class BusyBucket(BaseHTTPRequestHandler):
    """Says SlowDown to the first request for each key."""

    protocol_version = "HTTP/1.1"
    refused: set[str] = set()

    def do_PUT(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        first = self.path not in self.refused
        self.refused.add(self.path)
        body = b"<Error><Code>SlowDown</Code></Error>" if first else b""
        self.send_response(503 if first else 200)
        self.send_header("ETag", '"x"')
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@contextmanager
def serving(bucket):
    server = ThreadingHTTPServer(("127.0.0.1", 0), bucket)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield S3Store(
            "bucket",
            endpoint=f"http://127.0.0.1:{server.server_port}",
            access_key_id="test",
            secret_access_key="test",
            region="us-east-1",
            client_options={"allow_http": True},
        )
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


def test_a_busy_bucket_is_asked_again(root):
    with serving(BusyBucket) as store:
        assert upload(store, root, build(root).entries).objects == len(FILES)
    assert len(BusyBucket.refused) == len(FILES)


class SlowBucket(BusyBucket):
    """Answers when the test says so."""

    go = threading.Event()
    asked: set[str] = set()

    def do_PUT(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.asked.add(self.path)
        self.go.wait(20)
        self.send_response(200)
        self.send_header("ETag", '"x"')
        self.send_header("Content-Length", "0")
        self.end_headers()


class Cancelled(Exception):
    pass


def test_what_progress_raises_ends_the_upload_in_the_callers_thread(tmp_path):
    for number in range(3 * MOST):
        (tmp_path / f"{number}.txt").write_text(str(number))
    entries = build(tmp_path).entries
    told = []

    def cancel(files, size):
        told.append(threading.current_thread())
        SlowBucket.go.set()
        raise Cancelled

    with serving(SlowBucket) as store, pytest.raises(Cancelled):
        upload(store, tmp_path, entries, on_progress=cancel)
    assert told == [threading.current_thread()]
    assert len(SlowBucket.asked) < len(entries)


def test_large_files_wait_until_there_is_room():
    memory, inside, most = _Memory(4 * PART), [], []

    def hold(size):
        with memory.of(size):
            inside.append(size)
            most.append(sum(inside))
            inside.remove(size)

    threads = [threading.Thread(target=hold, args=(n * PART // 4,)) for n in range(1, 40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(most) == 39
    assert memory.free == memory.size


def test_the_pace_grows_while_answers_stay_fast_and_halves_when_they_do_not():
    pace = Pace()
    for _ in range(2000):
        pace.note(0.1)
    assert pace.limit == MOST
    slow = 0
    while pace.limit == MOST and slow < 2 * MOST:
        pace.note(1.0)
        slow += 1
    assert pace.limit == MOST // 2
    for _ in range(5000):
        pace.note(1.0)
    assert pace.limit == FEWEST
