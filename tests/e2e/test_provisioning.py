"""What stands on AWS, seen with the AWS command line; and that nothing is left or doubled."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil

from cloudadmin.aws import Access, Clients
from tests.e2e.conftest import Up, clean_environment
from tests.e2e.test_main_job import eventually


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
        timeout=60,
    )
    return json.loads(done.stdout or "{}")


def inventory(up: Up) -> dict[str, int]:
    """How many of each thing there are, by listing every service."""
    on = Clients(Access("us-east-1", endpoint_url=up.run["aws_endpoint"]))
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


def items(listed: Any) -> list[Any]:
    """CloudFront leaves ``Items`` out of an empty list."""
    return listed.get("Items") or []


def test_a_site_with_a_domain_comes_and_goes_without_a_trace(up: Up):
    zone = aws(
        up, "route53", "create-hosted-zone", "--name", "example.com", "--caller-reference", "test"
    )["HostedZone"]["Id"]
    before = inventory(up)

    up.live_site("with-domain", "--domain", "www.example.com")
    eventually(lambda: up.status("with-domain")["waits"] == [], within=60)
    status = up.status("with-domain")
    records = aws(up, "route53", "list-resource-record-sets", "--hosted-zone-id", zone)
    types = sorted(r["Type"] for r in records["ResourceRecordSets"] if "www" in r["Name"])
    (resource,) = (r for r in status["resources"] if r["type"] == "distribution")
    distribution = aws(up, "cloudfront", "get-distribution", "--id", resource["physical_id"])[
        "Distribution"
    ]
    tags = aws(up, "cloudfront", "list-tags-for-resource", "--resource", distribution["ARN"])[
        "Tags"
    ]["Items"]

    assert "www.example.com" in status["hosts"]
    assert types == ["A", "AAAA", "CNAME"]
    assert distribution["DistributionConfig"]["Aliases"]["Items"] == ["www.example.com"]
    assert {"Key": "cloudadmin:managed-by", "Value": "cloudadmin"} in tags

    up.manage("destroy_site", "with-domain", "--yes")

    assert inventory(up) == before
    left = aws(up, "route53", "list-resource-record-sets", "--hosted-zone-id", zone)
    assert {r["Type"] for r in left["ResourceRecordSets"]} == {"NS", "SOA"}
    up.manage("site_status", "with-domain", expect=1)


def test_a_killed_worker_is_carried_on_and_nothing_is_doubled(up: Up):
    before = inventory(up)
    up.manage("create_site", "killed")
    up.manage("provision_site", "killed")
    killed = kill_worker(up)
    eventually(lambda: up.status("killed")["state"] == "live", within=90)
    after = inventory(up)

    assert killed
    added = {name: after[name] - before[name] for name in before if after[name] != before[name]}
    # One before the cache, one after it.
    assert added == {**dict.fromkeys(added, 1), "edge functions": 2}
    up.manage("destroy_site", "killed", "--yes")
    assert inventory(up) == before


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
