"""Faults by rule: drawn by seed, seen through boto3, counted, and gone when they are taken back."""

from __future__ import annotations

import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ConnectionClosedError
from hypothesis import given
from hypothesis import strategies as st

from cloudadmin.aws import ClientError, error_code
from localcloud.faults import BadFault, Fault, Faults
from tests.localcloud import http
from tests.localcloud.world import LAMBDA_TRUST


@given(st.integers(), st.floats(0, 1), st.integers(1, 20), st.integers(0, 20))
def test_the_same_seed_hits_the_same_calls(seed, probability, times, after):
    def hits() -> list[bool]:
        fault = Fault("*", "lose", times, probability, seed, after=after)
        return [fault.strikes("s3.PutObject") for _ in range(50)]

    found = hits()
    assert found == hits()
    assert sum(found) <= times
    assert not any(found[:after])


@given(st.lists(st.sampled_from(["s3.PutObject", "rds.CreateDBInstance"])))
def test_only_the_calls_that_it_names_are_hit(calls):
    fault = Fault("s3.*", "throttle")
    assert [fault.strikes(each) for each in calls] == [each.startswith("s3.") for each in calls]


def test_delays_add_up_and_the_first_other_fault_decides():
    faults = Faults()
    faults.add([{"operation": "*", "kind": "delay", "seconds": n} for n in (1, 2)])
    faults.add([{"operation": "*", "kind": kind, "times": 1} for kind in ("lose", "refuse")])
    assert faults.strike("s3.PutObject") == (3, "lose")
    assert faults.strike("s3.PutObject") == (3, "refuse")
    assert faults.strike("s3.PutObject") == (3, "")


@pytest.mark.parametrize(
    ("given_rule", "said"),
    [
        ([], "is an object"),
        ({"operation": "*"}, "kind is one of"),
        ({"operation": "s3.PutObjct", "kind": "lose"}, "no operation is called 's3.PutObjct'"),
        ({"operation": "*", "kind": "lose", "time": 1}, "unknown: time"),
        ({"operation": "*", "kind": "lose", "times": 0}, "times cannot be 0"),
        ({"operation": "*", "kind": "lose", "times": True}, "times cannot be True"),
        ({"operation": "*", "kind": "lose", "probability": 30}, "probability cannot be 30"),
        ({"operation": 7, "kind": "lose"}, "operation cannot be 7"),
        ({"operation": "*", "kind": ["lose"]}, "kind cannot be"),
    ],
)
def test_a_rule_that_cannot_be_is_told(given_rule, said):
    with pytest.raises(BadFault, match=said.replace("[", r"\[")):
        Fault.read(given_rule)


class Control:
    """The control addresses, and clients that try each call once."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint

    def client(self, service: Any, attempts: int = 1) -> Any:
        return boto3.client(
            service,
            region_name="us-east-1",
            aws_access_key_id="local",
            aws_secret_access_key="local",
            endpoint_url=self.endpoint,
            config=Config(retries={"mode": "standard", "total_max_attempts": attempts}),
        )

    def fault(self, operation: str, kind: str, **more):
        rule = {"operation": operation, "kind": kind, **more}
        return http.post(f"{self.endpoint}/_localcloud/faults", json=rule)

    def calls(self) -> list[tuple[int, str, int | None]]:
        found = http.get(f"{self.endpoint}/_localcloud/calls").json()
        return [(each["number"], each["operation"], each["status"]) for each in found]

    def clear(self) -> None:
        for name in ("faults", "calls"):
            assert http.delete(f"{self.endpoint}/_localcloud/{name}").json() == []


@pytest.fixture
def control(local_cloud):
    control = Control(local_cloud.aws_endpoint)
    control.clear()
    yield control
    control.clear()


LISTS = [
    ("s3", "ListBuckets", "SlowDown", 503),
    ("cloudfront", "ListDistributions", "Throttling", 400),
    ("route53", "ListHostedZones", "Throttling", 400),
    ("rds", "DescribeDBInstances", "Throttling", 400),
    ("ec2", "DescribeVpcs", "RequestLimitExceeded", 503),
    ("iam", "ListRoles", "Throttling", 400),
    ("acm", "ListCertificates", "ThrottlingException", 400),
    ("lambda", "ListFunctions", "TooManyRequestsException", 429),
]


@pytest.mark.parametrize(("service", "operation", "code", "status"), LISTS)
def test_each_service_throttles_in_its_own_words(control, service, operation, code, status):
    name = f"{service}.{operation}"
    control.fault(name, "throttle", times=1)
    client = control.client(service)
    with pytest.raises(ClientError) as throttled:
        client._make_api_call(operation, {})
    assert error_code(throttled.value) == code
    assert throttled.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    client._make_api_call(operation, {})
    assert control.calls() == [(1, name, status), (2, name, 200)]


@pytest.mark.parametrize(("service", "operation"), [each[:2] for each in LISTS])
def test_each_service_refuses_and_is_unavailable(control, service, operation):
    client = control.client(service)
    control.fault(f"{service}.*", "refuse", times=1)
    control.fault(f"{service}.*", "unavailable", times=1)
    with pytest.raises(ClientError) as refused:
        client._make_api_call(operation, {})
    refusals = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")
    assert error_code(refused.value) in refusals
    assert operation in str(refused.value)
    with pytest.raises(ClientError) as unavailable:
        client._make_api_call(operation, {})
    assert unavailable.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    client._make_api_call(operation, {})


def test_boto3_retries_what_is_throttled(control):
    control.fault("acm.ListCertificates", "throttle", times=1)
    control.client("acm", attempts=3).list_certificates()
    assert [status for _, _, status in control.calls()] == [400, 200]


def test_a_lost_answer_is_of_work_that_was_done(control):
    bucket = f"lost-{uuid.uuid4().hex[:8]}"
    s3, iam = control.client("s3"), control.client("iam")
    control.fault("*", "lose", times=3)
    for call in (
        lambda: s3.create_bucket(Bucket=bucket),
        lambda: s3.put_object(Bucket=bucket, Key="a/b", Body=b"kept"),
        lambda: iam.create_role(RoleName=bucket, AssumeRolePolicyDocument=LAMBDA_TRUST),
    ):
        with pytest.raises(ConnectionClosedError):
            call()
    assert s3.get_object(Bucket=bucket, Key="a/b")["Body"].read() == b"kept"
    assert iam.get_role(RoleName=bucket)["Role"]["RoleName"] == bucket
    assert [call[1:] for call in control.calls()] == [
        ("s3.CreateBucket", None),
        ("s3.PutObject", None),
        ("iam.CreateRole", None),
        ("s3.GetObject", 200),
        ("iam.GetRole", 200),
    ]


def test_a_refused_upload_leaves_nothing_and_the_connection_goes_on(control):
    bucket = f"refused-{uuid.uuid4().hex[:8]}"
    s3 = control.client("s3")
    s3.create_bucket(Bucket=bucket)
    control.fault("s3.PutObject", "unavailable", times=1)
    body = b"x" * 3_000_000
    with pytest.raises(ClientError):
        s3.put_object(Bucket=bucket, Key="big", Body=body)
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="big", Body=body)
    assert s3.head_object(Bucket=bucket, Key="big")["ContentLength"] == len(body)


def test_a_delayed_call_is_answered_later(control):
    control.fault("sts.GetCallerIdentity", "delay", seconds=0.3, times=1)
    began = time.monotonic()
    control.client("sts").get_caller_identity()
    assert time.monotonic() - began >= 0.3


def test_who_is_delayed_goes_on_when_the_rules_are_taken_back(control):
    control.fault("sts.GetCallerIdentity", "delay", seconds=3600)
    with ThreadPoolExecutor() as threads:
        caller = threads.submit(control.client("sts").get_caller_identity)
        while not (calls := http.get(f"{control.endpoint}/_localcloud/calls").json()):
            assert not caller.done()
        assert calls[0]["seconds"] is None
        http.delete(f"{control.endpoint}/_localcloud/faults")
        assert caller.result(timeout=60)["Account"]


def test_rules_are_listed_counted_and_taken_back(control):
    assert control.fault("s3.*", "throttle", times=2, after=1).status_code == 200
    s3 = control.client("s3", attempts=3)
    s3.list_buckets()
    s3.list_buckets()
    listed = http.get(f"{control.endpoint}/_localcloud/faults").json()
    assert [(rule["matched"], rule["fired"]) for rule in listed] == [(4, 2)]
    control.clear()
    s3.list_buckets()
    assert control.calls() == [(1, "s3.ListBuckets", 200)]


def test_a_control_call_that_cannot_be_is_told(control):
    bad = control.fault("s3.PutObjct", "throttle")
    assert bad.status_code == 400
    assert "no operation is called" in bad.json()["error"]
    address = f"{control.endpoint}/_localcloud"
    assert http.post(f"{address}/faults", content=b"{").status_code == 400
    assert http.put(f"{address}/faults").status_code == 405
    assert http.post(f"{address}/calls").status_code == 405
