from __future__ import annotations

import pytest

from cloudadmin.aws import Clients
from sites.provisioning.resources import Bucket
from sites.provisioning.resources import bucket as module


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


def test_update_puts_settings_right(bucket: Bucket, clients: Clients):
    clients.s3.delete_bucket_lifecycle(Bucket=bucket.name)
    clients.s3.delete_bucket_tagging(Bucket=bucket.name)
    state = state_of(bucket, clients)
    assert {path.partition(".")[0] for path in bucket.changes(state)} == {"Lifecycle", "Tags"}
    assert bucket.changes(bucket.update(clients, state)) == {}
