"""A running local cloud, and what tests do with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

from cloudadmin import embedded
from cloudadmin.aws import Access, Clients
from tests.localcloud import http

Found = TypeVar("Found")


def eventually(look: Callable[[], Found], seconds: float = 60) -> Found:
    """The first true answer; polls until a deadline."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"not within {seconds} s; last seen: {found!r}"
        time.sleep(0.03)
    return found


@dataclass
class LocalCloud:
    """``python -m localcloud`` on ports of its own."""

    data_dir: Path
    propagation: float = 0
    time_scale: float = 0
    concurrency: int = 0
    aws_port: int = field(default_factory=embedded.free_port)
    edge_port: int = field(default_factory=embedded.free_port)

    @property
    def aws_endpoint(self) -> str:
        return f"http://127.0.0.1:{self.aws_port}"

    @property
    def edge_url(self) -> str:
        return f"http://127.0.0.1:{self.edge_port}"

    @cached_property
    def clients(self) -> Clients:
        """One set for all tests: making them costs more than most calls."""
        return Clients(Access(region="us-east-1", endpoint_url=self.aws_endpoint))

    def start(self) -> None:
        self.data_dir.mkdir(parents=True, exist_ok=True)
        with (self.data_dir / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "localcloud", "--data-dir", str(self.data_dir)),
                    *("--aws-port", str(self.aws_port), "--edge-port", str(self.edge_port)),
                    *("--postgres-url", os.environ["DATABASE_URL"]),
                    *("--propagation", str(self.propagation)),
                    *("--time-scale", str(self.time_scale)),
                    *("--concurrency", str(self.concurrency)),
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        eventually(self._ready, 60)

    def _ready(self) -> bool:
        assert self.process.poll() is None, (self.data_dir / "log").read_text()
        try:
            return http.get(f"{self.aws_endpoint}/_localcloud/health").status_code == 200
        except httpx.TransportError:
            return False

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(40)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(40)

    def get(self, host: str, path: str = "/", method: str = "GET", **more: Any) -> httpx.Response:
        """What a visitor of ``host`` is answered."""
        headers = {"Host": host, **more.pop("headers", {})}
        return http.request(method, self.edge_url + path, headers=headers, **more)


@pytest.fixture(scope="session")
def local_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """AWS on this machine: ``.aws_endpoint`` and ``.edge_url``. Changes reach the edge at once."""
    cloud = LocalCloud(tmp_path_factory.mktemp("localcloud"))
    cloud.start()
    yield cloud
    assert cloud.stop() == 0


CACHING_OPTIMIZED = "658327ea-f89d-4fab-a63d-7e88639e58f6"
CACHING_DISABLED = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"


@dataclass
class Website:
    """A private bucket behind a distribution, the way AWS's documentation sets it up."""

    cloud: LocalCloud
    name: str
    id: str = ""
    arn: str = ""
    host: str = ""

    @property
    def bucket(self) -> str:
        return f"{self.name}-bucket"

    def origin(self, **more: Any) -> dict[str, Any]:
        return {
            "Id": "s3",
            "DomainName": f"{self.bucket}.s3.us-east-1.amazonaws.com",
            "S3OriginConfig": {"OriginAccessIdentity": ""},
            "OriginAccessControlId": self.access_control("s3"),
            **more,
        }

    def access_control(self, kind: str) -> str:
        """The id of an origin access control for origins of that kind."""
        cloudfront = self.cloud.clients.cloudfront
        name = f"{self.name}-{kind}"
        listed = cloudfront.list_origin_access_controls()["OriginAccessControlList"]
        for each in listed.get("Items", []):
            if each["Name"] == name:
                return each["Id"]
        config: Any = {
            "Name": name,
            "SigningProtocol": "sigv4",
            "SigningBehavior": "always",
            "OriginAccessControlOriginType": kind,
        }
        made = cloudfront.create_origin_access_control(OriginAccessControlConfig=config)
        return made["OriginAccessControl"]["Id"]

    @staticmethod
    def behavior(origin: str = "s3", **more: Any) -> dict[str, Any]:
        return {
            "TargetOriginId": origin,
            "ViewerProtocolPolicy": "redirect-to-https",
            "CachePolicyId": CACHING_OPTIMIZED,
            **more,
        }

    def config(self, **more: Any) -> Any:
        return {
            "CallerReference": self.name,
            "Comment": "",
            "Enabled": True,
            "Origins": {"Quantity": 1, "Items": [self.origin()]},
            "DefaultCacheBehavior": self.behavior(),
            **more,
        }

    def create(self, *, may_list: bool = True, **config: Any) -> None:
        clients = self.cloud.clients
        clients.s3.create_bucket(Bucket=self.bucket)
        made = clients.cloudfront.create_distribution_with_tags(
            DistributionConfigWithTags={
                "DistributionConfig": self.config(**config),
                "Tags": {"Items": [{"Key": "Name", "Value": self.name}]},
            }
        )["Distribution"]
        self.id, self.arn, self.host = made["Id"], made["ARN"], made["DomainName"]
        self.allow(may_list=may_list)

    def allow(self, *, may_list: bool) -> None:
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "cloudfront.amazonaws.com"},
            "Condition": {"StringEquals": {"AWS:SourceArn": self.arn}},
        }
        arn = f"arn:aws:s3:::{self.bucket}"
        statements = [{**statement, "Action": "s3:GetObject", "Resource": f"{arn}/*"}]
        if may_list:
            statements.append({**statement, "Action": "s3:ListBucket", "Resource": arn})
        self.cloud.clients.s3.put_bucket_policy(
            Bucket=self.bucket,
            Policy=json.dumps({"Version": "2012-10-17", "Statement": statements}),
        )

    def put(self, key: str, body: bytes, **more: Any) -> None:
        more.setdefault("ContentType", "text/html")
        self.cloud.clients.s3.put_object(Bucket=self.bucket, Key=key, Body=body, **more)

    def get(self, path: str = "/", **more: Any) -> httpx.Response:
        return self.cloud.get(self.host, path, **more)

    def update(self, **config: Any) -> None:
        cloudfront = self.cloud.clients.cloudfront
        now = cloudfront.get_distribution_config(Id=self.id)
        cloudfront.update_distribution(
            Id=self.id, IfMatch=now["ETag"], DistributionConfig=self.config(**config)
        )

    def invalidate(self, *paths: str) -> None:
        self.cloud.clients.cloudfront.create_invalidation(
            DistributionId=self.id,
            InvalidationBatch={
                "Paths": {"Quantity": len(paths), "Items": list(paths)},
                "CallerReference": str(time.monotonic_ns()),
            },
        )


@pytest.fixture
def website(local_cloud: LocalCloud, request: pytest.FixtureRequest) -> Website:
    name = request.node.name.lower().replace("_", "-").split("[")[0]
    return Website(local_cloud, f"{name[:40]}-{time.monotonic_ns() % 10**9}")
