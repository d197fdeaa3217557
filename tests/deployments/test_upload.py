"""Uploads, against the emulator's S3."""

import threading
import uuid
from pathlib import Path

import pytest
from botocore.credentials import Credentials

from cloudadmin.aws import BucketAddress
from deployments import upload as uploading
from deployments.files.injection import inject
from deployments.manifest import Entry, build, object_key
from deployments.puts import Put, Refusal
from deployments.upload import (
    FEW_TRIES,
    FEWEST,
    LARGEST,
    MOST,
    SMALL,
    TRIES,
    UNHURRIED,
    ManifestChanged,
    Pace,
    UploadError,
    _File,
    _Try,
    _Upload,
    upload,
)
from tests.deployments.receiver import receiving

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
        clients.bucket_address(bucket),
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


def test_a_large_file_is_read_while_it_is_sent(clients, bucket, tmp_path):
    content = b"0123456789abcdef" * (40 * SMALL // 16) + b"end"
    (tmp_path / "film.mp4").write_bytes(content)
    entries = build(tmp_path).entries
    assert upload(clients.bucket_address(bucket), tmp_path, entries).bytes == len(content)
    key = object_key("film.mp4", entries["film.mp4"])
    assert clients.s3.get_object(Bucket=bucket, Key=key)["Body"].read() == content


@pytest.mark.parametrize("size", [10, 40 * SMALL])
def test_a_file_that_changed_is_not_stored(clients, bucket, tmp_path, size):
    file = tmp_path / "page.html"
    file.write_bytes(b"a" * size)
    entries = build(tmp_path).entries
    file.write_bytes(b"b" * size)
    with pytest.raises(ManifestChanged, match=r"“page.html” changed while it was deployed"):
        upload(clients.bucket_address(bucket), tmp_path, entries)
    assert keys(clients, bucket) == set()


def test_a_large_file_that_became_shorter_is_not_stored(clients, bucket, tmp_path):
    file = tmp_path / "film.mp4"
    file.write_bytes(b"a" * (40 * SMALL))
    entries = build(tmp_path).entries
    file.write_bytes(b"a" * (40 * SMALL - 1))
    with pytest.raises(ManifestChanged, match=r"“film.mp4” changed while it was deployed"):
        upload(clients.bucket_address(bucket), tmp_path, entries)
    assert keys(clients, bucket) == set()


@pytest.mark.parametrize("size", [1, 2 * SMALL])
def test_a_page_is_sent_with_the_snippet(clients, bucket, root, size):
    page = b"<html>" + b"1" * size + b"</html>"
    (root / "index.html").write_bytes(page)
    entries = build(root, injects=True).entries
    upload(clients.bucket_address(bucket), root, entries, injects=True)
    for path, content in {**FILES, "index.html": inject(page)}.items():
        key = object_key(path, entries[path])
        assert clients.s3.get_object(Bucket=bucket, Key=key)["Body"].read() == content


def test_large_pages_wait_until_there_is_room(tmp_path, server, monkeypatch):
    monkeypatch.setattr(uploading, "IN_MEMORY", 3 * SMALL)
    for number in range(12):
        (tmp_path / f"{number}.html").write_bytes(b"<html>%d" % number + b"1" * 2 * SMALL)
    entries = build(tmp_path, injects=True).entries
    this = uploading._Upload(address(server), tmp_path, entries, injects=True)
    this._start()
    assert len(this.puts) == 2
    assert this.run(lambda files, size: None).objects == 12
    assert this.held == 0


@pytest.mark.parametrize("content", [b"<html>2</html>", inject(b"<html>1</html>")[:-7], b""])
def test_a_page_that_changed_is_not_stored(clients, bucket, root, content):
    (root / "index.html").write_bytes(b"<html>1</html>")
    entry = build(root, injects=True).entries["index.html"]
    (root / "index.html").write_bytes(content)
    with pytest.raises(ManifestChanged, match=r"“index.html” changed while it was deployed"):
        upload(clients.bucket_address(bucket), root, {"index.html": entry}, injects=True)
    assert keys(clients, bucket) == set()


def test_a_file_that_is_gone_is_named(clients, bucket, root):
    entries = build(root).entries
    (root / "index.html").unlink()
    with pytest.raises(ManifestChanged, match=r"“index.html” can no longer be read"):
        upload(clients.bucket_address(bucket), root, entries)


def test_a_bucket_that_refuses_is_reported_with_the_file(clients, root):
    entries = {"index.html": build(root).entries["index.html"]}
    with pytest.raises(UploadError, match=r"“index.html” was not taken by the bucket"):
        upload(clients.bucket_address("no-such-bucket-anywhere"), root, entries)


def test_nothing_to_send_is_no_request(clients, root):
    assert upload(clients.bucket_address("no-such-bucket-anywhere"), root, {}).objects == 0


def test_more_files_than_requests_in_flight(clients, bucket, tmp_path):
    for number in range(300):
        (tmp_path / f"{number}.txt").write_text(str(number))
    entries = build(tmp_path).entries
    assert upload(clients.bucket_address(bucket), tmp_path, entries).objects == 300
    assert len(keys(clients, bucket)) == 300


@pytest.fixture
def server(monkeypatch):
    """A bucket that answers as a test says; what is refused is sent again at once."""
    monkeypatch.setattr(uploading, "PAUSE", 0.0)
    with receiving() as server:
        server.reply = lambda request: (200, {"ETag": '"x"'}, b"")
        yield server


def address(server):
    credentials = Credentials("test", "secret")
    return BucketAddress(f"{server.url}/b", "us-east-1", credentials.get_frozen_credentials)


SLOW_DOWN = b"<Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>"


def test_a_busy_bucket_is_asked_again(root, server):
    refused = set()

    def busy_at_first(request):
        first = request.path not in refused
        refused.add(request.path)
        return (503, {}, SLOW_DOWN) if first else (200, {}, b"")

    server.reply = busy_at_first
    assert upload(address(server), root, build(root).entries).objects == len(FILES)
    assert len(refused) == len(FILES)
    sent: dict[str, bytes] = {}
    for request in server.requests:
        assert sent.setdefault(request.path, request.body) == request.body


@pytest.mark.parametrize("size", [10, 40 * SMALL])
def test_a_kept_connection_that_turns_out_closed_costs_nothing(tmp_path, server, size):
    for number in range(100):
        (tmp_path / f"{number}.bin").write_bytes(bytes([number]) * (size if number < 10 else 1))
    server.keeps = 2
    assert upload(address(server), tmp_path, build(tmp_path).entries).objects == 100
    sizes = [len(request.body) for request in server.requests]
    assert (sizes.count(size), sizes.count(1)) == (10, 90)


def test_a_burst_of_refusals_slows_down_once(server):
    this = _Upload(address(server), Path(), {"a.txt": Entry("0" * 64, 1, "text/plain", "")})
    before = this.pace.limit
    file = _File("a.txt", "a.txt", Entry("0" * 64, 1, "text/plain", ""))
    busy = Refusal("SlowDown", is_transient=True, is_busy=True)
    for _ in range(10):
        this._note(Put(_Try("a.txt", file, 1), 1.0, busy))
    assert this.pace.limit == before // 2


@pytest.mark.parametrize(("objects", "tries"), [(0, FEW_TRIES), (1, TRIES)])
def test_who_was_reached_once_is_waited_for_longer(server, objects, tries):
    this = _Upload(address(server), Path(), {})
    this.objects = objects
    file = _File("a.txt", "a.txt", Entry("0" * 64, 1, "text/plain", ""))
    gone = Refusal("nobody is there", is_transient=True, is_unreachable=True)
    for number in range(1, tries):
        this._note(Put(_Try("a.txt", file, number), 0.1, gone))
    with pytest.raises(UploadError, match="nobody is there"):
        this._note(Put(_Try("a.txt", file, tries), 0.1, gone))


def test_a_file_that_s3_takes_not_is_told_before_anything_is_sent(root, server):
    entries = build(root).entries | {"film.mp4": Entry("0" * 64, LARGEST + 1, "video/mp4", "")}
    with pytest.raises(UploadError, match=r"Nothing was sent: “film.mp4” has more than 5 GiB"):
        upload(address(server), root, entries)
    assert server.requests == []


def test_a_bucket_that_stays_busy_is_reported(root, server):
    server.reply = lambda request: (503, {}, SLOW_DOWN)
    entries = {"index.html": build(root).entries["index.html"]}
    with pytest.raises(UploadError, match=r"“index.html” was not .*SlowDown: Reduce your request"):
        upload(address(server), root, entries)
    assert len(server.requests) == TRIES


def test_no_answer_is_reported_with_the_address(root, monkeypatch):
    monkeypatch.setattr(uploading, "PAUSE", 0.0)
    nowhere = BucketAddress(
        "http://127.0.0.1:9/b", "us-east-1", Credentials("a", "b").get_frozen_credentials
    )
    with pytest.raises(UploadError, match=r"http://127.0.0.1:9/b cannot be reached"):
        upload(nowhere, root, build(root).entries)


class Cancelled(Exception):
    pass


def test_what_progress_raises_ends_the_upload_in_the_callers_thread(tmp_path, server):
    for number in range(3 * MOST):
        (tmp_path / f"{number}.txt").write_text(str(number))
    entries = build(tmp_path).entries
    told, go = [], threading.Event()

    def wait(request):
        go.wait(60)
        return 200, {}, b""

    def cancel(files, size):
        told.append(threading.current_thread())
        go.set()
        raise Cancelled

    server.reply = wait
    with pytest.raises(Cancelled):
        upload(address(server), tmp_path, entries, on_progress=cancel)
    assert told == [threading.current_thread()]
    assert len(server.requests) < len(entries)


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


def test_a_fast_bucket_is_never_too_busy():
    pace = Pace()
    pace.note(UNHURRIED / 100)
    before = pace.limit
    for _ in range(5000):
        pace.note(UNHURRIED)
    assert pace.limit >= before
