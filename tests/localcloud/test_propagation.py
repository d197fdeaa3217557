"""Time: points of presence that hear of a change one after the other, and restarts."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from localcloud.edge.pop import NAMES
from tests.localcloud.conftest import LocalCloud, Website, eventually
from tests.localcloud.test_functions import publish, with_router, write

PROPAGATION = 1.5  # seconds; a busy machine must get a look in between


@pytest.fixture(scope="module")
def slow_cloud(tmp_path_factory):
    cloud = LocalCloud(tmp_path_factory.mktemp("slow"), propagation=PROPAGATION)
    cloud.start()
    yield cloud
    assert cloud.stop() == 0


def routed(cloud: LocalCloud, name: str) -> tuple[Website, str]:
    site = Website(cloud, name)
    store = publish(site, {"release": "v1"})
    site.create(DefaultCacheBehavior=with_router(site))
    site.put("v1/page", b"one")
    site.put("v2/page", b"two")
    return site, store


def seen(site: Website) -> list[str]:
    answers = [site.get("/page", headers={"X-Localcloud-Pop": pop}) for pop in NAMES]
    return [answer.text if answer.status_code == 200 else "" for answer in answers]


def test_points_of_presence_flip_one_after_the_other(slow_cloud):
    site, store = routed(slow_cloud, "flip")
    eventually(lambda: seen(site) == ["one"] * 3)
    assert site.get("/page", headers={"X-Localcloud-Pop": "2"}).headers["x-amz-cf-pop"] == NAMES[2]

    write(site, store, {"release": "v2"})
    assert site.get("/page", headers={"X-Localcloud-Pop": NAMES[2]}).text == "one"
    states: list[list[str]] = []
    deadline = time.monotonic() + 60
    while not states or states[-1] != ["two"] * 3:
        assert time.monotonic() < deadline, states
        now = seen(site)
        if not states or states[-1] != now:
            states.append(now)
    # Never back, and each in its turn: the first is done while the last is not.
    assert states == sorted(states, key=lambda state: state.count("two"))
    assert any(state[0] == "two" and state[-1] == "one" for state in states)


def test_a_change_is_in_progress_until_everybody_has_it(slow_cloud):
    site, _ = routed(slow_cloud, "progress")
    cloudfront = slow_cloud.clients.cloudfront

    def status():
        return cloudfront.get_distribution(Id=site.id)["Distribution"]["Status"]

    assert eventually(lambda: status() == "Deployed")
    site.update(DefaultCacheBehavior=with_router(site), Comment="changed")
    assert status() == "InProgress"
    assert eventually(lambda: status() == "Deployed")

    made = cloudfront.create_invalidation(
        DistributionId=site.id,
        InvalidationBatch={
            "Paths": {"Quantity": 1, "Items": ["/*"]},
            "CallerReference": "once",
        },
    )["Invalidation"]
    assert made["Status"] == "InProgress"
    done = eventually(
        lambda: (
            cloudfront.get_invalidation(DistributionId=site.id, Id=made["Id"])["Invalidation"][
                "Status"
            ]
            == "Completed"
        )
    )
    assert done


def kept(data_dir: Path, name: str) -> str:
    file = data_dir / "state" / f"{name}.json"
    return file.read_text() if file.exists() else ""


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_restart_finds_everything(tmp_path, end):
    cloud = LocalCloud(tmp_path)
    cloud.start()
    try:
        site, _ = routed(cloud, "kept")
        cloud.clients.s3.put_object(
            Bucket=site.bucket,
            Key="v1/styled",
            Body=b"x",
            ContentType="text/css",
            CacheControl="max-age=5",
            Metadata={"hello": "there"},
        )
        if end == "kill":
            # What was written in the last moment before a kill may be lost.
            eventually(lambda: "kept" in kept(tmp_path, "cloudfront"))
            eventually(lambda: "v1" in kept(tmp_path, "cloudfront_keyvaluestore"))
        getattr(cloud, end)()
        cloud.start()
        assert site.get("/page").text == "one"
        styled = site.get("/styled")
        assert styled.headers["content-type"] == "text/css"
        assert styled.headers["cache-control"] == "max-age=5"
        assert styled.headers["x-amz-meta-hello"] == "there"
    finally:
        cloud.stop()
