"""The cheap look over a real stack: right about what lists tell, and few calls."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from cloudadmin.aws import Clients
from sites.provisioning import Done
from sites.provisioning.drift import Drift, look
from sites.provisioning.drift.listings import LISTINGS, suspects
from sites.provisioning.records import Record
from tests.sites.provisioning.conftest import World


def records(world: World) -> dict[str, Record]:
    return world.account_store.records() | world.site_store.records()


def suspected(world: World) -> set[str]:
    found, failures = suspects(records(world), world.clients)
    assert not failures
    return found


def drifts(world: World) -> list[Drift]:
    """All, by the deep look."""
    return [
        drift
        for logical_id, record in records(world).items()
        for drift in look(logical_id, record, world.clients)[1]
    ]


def drifted(world: World) -> set[tuple[str, str]]:
    return {(drift.logical_id, drift.path) for drift in drifts(world)}


def test_a_stack_as_it_was_made_has_no_drift(standing: World):
    assert suspected(standing) == set()
    assert drifted(standing) == set()


def edit_distribution(world: World, **values: Any) -> None:
    cloudfront = world.clients.cloudfront
    id_ = world.site_store.rows["distribution"].physical_id
    now: Any = cloudfront.get_distribution_config(Id=id_)
    config = now["DistributionConfig"] | values
    cloudfront.update_distribution(Id=id_, IfMatch=now["ETag"], DistributionConfig=config)


def raise_memory(world: World) -> None:
    world.clients.lambda_.update_function_configuration(
        FunctionName=f"{world.site.prefix}-counter", MemorySize=1024
    )


def keep_logs(world: World) -> None:
    name = f"/aws/lambda/{world.site.prefix}-counter"
    world.clients.logs.delete_retention_policy(logGroupName=name)


def open_database(world: World) -> None:
    name = world.account_store.rows["db_instance"].physical_id
    world.clients.rds.modify_db_instance(
        DBInstanceIdentifier=name, PubliclyAccessible=True, ApplyImmediately=True
    )


def stop_signing(world: World) -> None:
    row = world.account_store.rows["origin_access_control.s3"]
    cloudfront = world.clients.cloudfront
    now: Any = cloudfront.get_origin_access_control(Id=row.physical_id)
    config = now["OriginAccessControl"]["OriginAccessControlConfig"] | {"SigningBehavior": "never"}
    cloudfront.update_origin_access_control(
        Id=row.physical_id, IfMatch=now["ETag"], OriginAccessControlConfig=config
    )


def trust_others(world: World) -> None:
    world.clients.iam.update_assume_role_policy(
        RoleName=f"{world.site.prefix}-counter",
        PolicyDocument='{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", '
        '"Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]}',
    )


def delete_bucket(world: World) -> None:
    bucket = world.site_store.rows["bucket"].physical_id
    world.clients.s3.delete_bucket(Bucket=bucket)


SEEN_IN_LISTS: list[tuple[Callable[[World], None], tuple[str, str]]] = [
    (lambda world: edit_distribution(world, Enabled=False), ("distribution", "Enabled")),
    (
        lambda world: edit_distribution(world, PriceClass="PriceClass_All"),
        ("distribution", "PriceClass"),
    ),
    (raise_memory, ("lambda_function", "MemorySize")),
    (keep_logs, ("log_group", "retentionInDays")),
    (open_database, ("db_instance", "PubliclyAccessible")),
    (stop_signing, ("origin_access_control.s3", "SigningBehavior")),
    (trust_others, ("role", "AssumeRolePolicyDocument.Statement")),
    (delete_bucket, ("bucket", "")),
]


def test_what_lists_tell(provisioned: World):
    for change, _ in SEEN_IN_LISTS:
        change(provisioned)
    seen = {drift for _, drift in SEEN_IN_LISTS}
    assert suspected(provisioned) == {logical_id for logical_id, _ in seen}
    assert seen <= drifted(provisioned)


def open_bucket(world: World) -> None:
    bucket = world.site_store.rows["bucket"].physical_id
    world.clients.s3.delete_public_access_block(Bucket=bucket)


def open_policy(world: World) -> None:
    bucket = world.site_store.rows["bucket"].physical_id
    everybody = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject"}
    policy = {
        "Version": "2012-10-17",
        "Statement": [everybody | {"Resource": f"arn:aws:s3:::{bucket}/*"}],
    }
    world.clients.s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))


def point_elsewhere(world: World) -> None:
    row = world.site_store.rows[alias(world)]
    zone_id, name, record_type = row.physical_id.split("/")
    record: Any = {"Name": name, "Type": record_type, "TTL": 60}
    change: Any = {
        "Action": "UPSERT",
        "ResourceRecordSet": record | {"ResourceRecords": [{"Value": "192.0.2.1"}]},
    }
    world.clients.route53.change_resource_record_sets(
        HostedZoneId=zone_id, ChangeBatch={"Changes": [change]}
    )


def alias(world: World) -> str:
    return f"alias_record.A.{world.site.domains[0]}"


def allow_all(world: World) -> None:
    world.clients.iam.attach_role_policy(
        RoleName=f"{world.site.prefix}-counter",
        PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess",
    )


def let_everybody_call(world: World) -> None:
    world.clients.lambda_.add_permission(
        FunctionName=f"{world.site.prefix}-counter",
        StatementId="everybody",
        Action="lambda:InvokeFunction",
        Principal="*",
    )


def test_what_only_a_deep_look_tells_and_putting_it_right(provisioned: World):
    for change in (open_bucket, open_policy, point_elsewhere, allow_all, let_everybody_call):
        change(provisioned)
    assert suspected(provisioned) == set()
    assert drifted(provisioned) == {
        ("bucket", "PublicAccessBlock"),
        ("bucket_policy", "Policy.Statement"),
        (alias(provisioned), "AliasTarget"),
        ("role", "OtherPolicies"),
        ("function_url", "PublicStatements"),
    }
    assert all(drift.is_security for drift in drifts(provisioned))
    text = provisioned.plan().as_text()
    assert text.count("(changed on AWS)") == 5
    assert provisioned.converge() == Done()
    assert drifted(provisioned) == set()


class Counting:
    """The clients, with every call of every service counted by its name."""

    def __init__(self, clients: Clients) -> None:
        self.calls: list[str] = []
        for service in ("acm", "cloudfront", "ec2", "iam", "lambda_", "logs", "rds", "s3"):
            events = getattr(clients, service).meta.events
            events.register("before-call", self._count)

    def _count(self, event_name: str, **_: Any) -> None:
        self.calls.append(event_name)


def test_one_list_per_service_however_many_resources(standing: World):
    record = records(standing)
    many = {(n, key): each for n in range(100) for key, each in record.items()}
    clients = Clients(standing.clients.access)
    counting = Counting(clients)
    found, _ = suspects(many, clients)
    assert found == set()
    assert len(counting.calls) == len(LISTINGS)
