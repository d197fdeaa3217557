"""What stands on AWS, whoever was killed; and that nothing is left or doubled."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from cloudadmin.aws import Access, Clients
from tests.e2e.conftest import Up, clean_environment


@pytest.fixture
def on(up: Up) -> Clients:
    return Clients(Access("us-east-1", endpoint_url=up.run["aws_endpoint"]))


def aws(up: Up, *arguments: str) -> Any:
    done = subprocess.run(
        [Path(sys.executable).parent / "aws", *arguments, "--output", "json"],
        env={
            **clean_environment(up.data_dir),
            "AWS_ENDPOINT_URL": up.run["aws_endpoint"],
            "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "x",
            "AWS_DEFAULT_REGION": "us-east-1",
        },
        capture_output=True,
        text=True,
        check=True,
        timeout=180,
    )
    return json.loads(done.stdout or "{}")


def inventory(on: Clients) -> dict[str, int]:
    """How many of each thing there are, by listing every service."""
    cloudfront = on.cloudfront
    lists: dict[str, list[Any]] = {
        "buckets": on.s3.list_buckets()["Buckets"],
        "certificates": on.acm.list_certificates()["CertificateSummaryList"],
        "distributions": items(cloudfront.list_distributions()["DistributionList"]),
        "functions": on.lambda_.list_functions()["Functions"],
        "log groups": on.logs.describe_log_groups()["logGroups"],
        "roles": on.iam.list_roles(PathPrefix="/cloudadmin/")["Roles"],
        "edge functions": items(cloudfront.list_functions(Stage="LIVE")["FunctionList"]),
        "stores": items(cloudfront.list_key_value_stores()["KeyValueStoreList"]),
    }
    return {name: len(found) for name, found in lists.items()}


def record_types(on: Clients, zone_id: str, name: str) -> list[str]:
    found = on.route53.list_resource_record_sets(HostedZoneId=zone_id)["ResourceRecordSets"]
    return sorted(record["Type"] for record in found if name in record["Name"])


def items(listed: Any) -> list[Any]:
    """CloudFront leaves ``Items`` out of an empty list."""
    return listed.get("Items") or []


def test_a_site_comes_whole_though_its_worker_is_killed_and_goes_without_a_trace(
    up: Up, on: Clients
):
    zone = on.route53.create_hosted_zone(Name="example.com", CallerReference="test")["HostedZone"]
    before = inventory(on)

    up.manage("create_site", "with-domain", "--domain", "www.example.com")
    up.manage("provision_site", "with-domain")
    assert kill_worker(up)
    up.settle("with-domain")
    status = up.status("with-domain")
    after = inventory(on)
    (resource,) = (r for r in status["resources"] if r["type"] == "distribution")
    distribution = aws(up, "cloudfront", "get-distribution", "--id", resource["physical_id"])[
        "Distribution"
    ]
    tags = on.cloudfront.list_tags_for_resource(Resource=distribution["ARN"])["Tags"]["Items"]

    assert (status["state"], status["waits"]) == ("live", [])
    assert "www.example.com" in status["hosts"]
    assert record_types(on, zone["Id"], "www") == ["A", "AAAA", "CNAME"]
    assert distribution["DistributionConfig"]["Aliases"]["Items"] == ["www.example.com"]
    assert {"Key": "cloudadmin:managed-by", "Value": "cloudadmin"} in tags
    # Of edge functions, one before the cache and one after it.
    assert after == {
        name: count + (2 if name == "edge functions" else 1) for name, count in before.items()
    }

    up.manage("destroy_site", "with-domain", "--yes")

    assert inventory(on) == before
    assert record_types(on, zone["Id"], "") == ["NS", "SOA"]
    up.manage("site_status", "with-domain", expect=1)


def kill_worker(up: Up) -> int:
    """SIGKILL to the Celery worker and its children; supervision starts a new one."""
    processes = [
        process
        for process in psutil.Process(up.process.pid).children(recursive=True)
        if "celery" in " ".join(process.cmdline()) and "worker" in process.cmdline()
    ]
    for process in processes:
        os.kill(process.pid, signal.SIGKILL)
    return len(processes)
