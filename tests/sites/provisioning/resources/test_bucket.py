from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import pytest

from cloudadmin.aws import ClientError, Clients
from sites.provisioning.resources import Bucket
from sites.provisioning.resources import bucket as module
from tests.fakes import Killed


@pytest.fixture
def bucket(clients: Clients, uid: str) -> Bucket:
    bucket = Bucket(f"cloudadmin-{uid}", "us-east-1", {"cloudadmin:site": uid})
    bucket.create(clients)
    return bucket


def put(clients: Clients, bucket: Bucket, *keys: str) -> None:
    for key in keys:
        clients.s3.put_object(Bucket=bucket.name, Key=key, Body=b"x")


def state_of(bucket: Bucket, clients: Clients):
    state = bucket.read(clients)
    assert state is not None
    return state


def test_create_blocks_public_access(bucket: Bucket, clients: Clients):
    answer = clients.s3.get_public_access_block(Bucket=bucket.name)
    assert all(answer["PublicAccessBlockConfiguration"].values())


def test_delete_empties_versions_and_uploads(bucket: Bucket, clients: Clients):
    clients.s3.put_bucket_versioning(
        Bucket=bucket.name, VersioningConfiguration={"Status": "Enabled"}
    )
    put(clients, bucket, "a", "a", "b")
    clients.s3.delete_object(Bucket=bucket.name, Key="b")
    clients.s3.create_multipart_upload(Bucket=bucket.name, Key="half")
    assert bucket.delete(clients, state_of(bucket, clients)) is None
    assert bucket.read(clients) is None


def test_delete_of_a_big_bucket_takes_several_passes(bucket: Bucket, clients, monkeypatch):
    monkeypatch.setattr(module, "PAGES_PER_PASS", 1)
    put(clients, bucket, "a", "b")
    remains = bucket.delete(clients, state_of(bucket, clients))
    assert remains is not None
    assert not remains.ready
    assert "objects to be deleted" in remains.waiting_for
    assert bucket.delete(clients, state_of(bucket, clients)) is None


class Fatal:
    """S3 that ends the process at its nth call: before it, or with the answer lost."""

    def __init__(self, clients: Clients, nth: int, *, after: bool) -> None:
        self.s3 = self
        self._alive, self._nth, self._after = clients.s3, nth, after
        self._calls = count(1)

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._alive, name)

        def counted(**arguments: Any) -> Any:
            is_last = next(self._calls) == self._nth
            if is_last and not self._after:
                raise Killed
            answer = call(**arguments)
            if is_last:
                raise Killed
            return answer

        return counted


def fill(clients: Clients, bucket: Bucket, *, objects: int, uploads: int) -> None:
    """Objects, each with an older version and a delete marker, and uploads never finished."""
    s3, name = clients.s3, bucket.name
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    keys = [f"objects/{n:04}" for n in range(objects)]
    store = clients.object_store(name)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda key: store.put(key, b"x"), keys))
    for n in range(uploads):
        s3.create_multipart_upload(Bucket=name, Key=f"uploads/{n}")
    put(clients, bucket, *keys[:20])
    for start in range(0, objects, 1000):
        page: Any = [{"Key": key} for key in keys[start : start + 1000]]
        s3.delete_objects(Bucket=name, Delete={"Objects": page, "Quiet": True})


def test_1500_objects_with_versions_markers_and_uploads_end(
    clients_of: dict[str, Clients], uid: str, monkeypatch
):
    """Killed at every kind of call; what was deleted stays deleted. One judge: it is a lot."""
    clients = clients_of["ministack"]
    bucket = Bucket(f"cloudadmin-{uid}", "us-east-1", {})
    bucket.create(clients)
    monkeypatch.setattr(module, "PAGES_PER_PASS", 2)
    fill(clients, bucket, objects=1500, uploads=30)
    state = state_of(bucket, clients)
    for nth, after in ((1, False), (2, True), (2, False), (4, True)):
        fatal: Any = Fatal(clients, nth, after=after)
        with pytest.raises(Killed):
            bucket.delete(fatal, state)
    left = clients.s3.list_object_versions(Bucket=bucket.name)
    assert 0 < len(left.get("Versions", [])) + len(left.get("DeleteMarkers", [])) <= 1020

    passes = 0
    while (remains := bucket.delete(clients, state)) is not None:
        state, passes = remains, passes + 1
        assert passes < 10
    assert passes
    assert bucket.read(clients) is None


def test_an_upload_that_ends_meanwhile_is_no_failure(bucket: Bucket, clients: Clients):
    clients.s3.create_multipart_upload(Bucket=bucket.name, Key="half")

    def ended(**arguments: Any) -> Any:
        clients.s3.abort_multipart_upload(**arguments)
        return clients.s3.abort_multipart_upload(**arguments)

    fatal: Any = Fatal(clients, 0, after=False)
    fatal.abort_multipart_upload = ended
    assert bucket.delete(fatal, state_of(bucket, clients)) is None


def test_an_object_that_s3_will_not_delete_is_told(bucket: Bucket, clients: Clients):
    put(clients, bucket, "locked")
    fatal: Any = Fatal(clients, 0, after=False)
    fatal.delete_objects = lambda **_: {"Errors": [{"Code": "AccessDenied", "Message": "locked"}]}
    with pytest.raises(ClientError, match="AccessDenied.*locked"):
        bucket._delete(fatal, state_of(bucket, clients))
    clients.s3.delete_object(Bucket=bucket.name, Key="locked")


def test_update_puts_settings_right(bucket: Bucket, clients: Clients):
    clients.s3.delete_bucket_lifecycle(Bucket=bucket.name)
    clients.s3.delete_bucket_tagging(Bucket=bucket.name)
    state = state_of(bucket, clients)
    assert {path.partition(".")[0] for path in bucket.changes(state)} == {"Lifecycle", "Tags"}
    assert bucket.changes(bucket.update(clients, state)) == {}
