"""Operations are recognised from what botocore sends: all of them, of the services we use."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config

from localcloud.operations import is_known, operation_of
from localcloud.wire import Call

SERVICES = (
    *("acm", "cloudfront", "cloudfront-keyvaluestore", "iam", "lambda", "logs"),
    *("rds", "route53", "s3", "scheduler", "sts"),
)
KVS_ARN = "arn:aws:cloudfront::123456789012:key-value-store/0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9"

# They send the same as another operation: an older name of it.
ALIKE = {
    "s3.GetBucketLifecycle": "s3.GetBucketLifecycleConfiguration",
    "s3.GetBucketNotification": "s3.GetBucketNotificationConfiguration",
    "s3.PutBucketLifecycle": "s3.PutBucketLifecycleConfiguration",
    "s3.PutBucketNotification": "s3.PutBucketNotificationConfiguration",
    # Signed for services of their own, or not at all.
    "s3.ListDirectoryBuckets": "s3express.Unknown",
    "s3.WriteGetObjectResponse": "s3-object-lambda.Unknown",
    "sts.AssumeRoleWithSAML": "",
    "sts.AssumeRoleWithWebIdentity": "",
}
SIMPLE: dict[str, Any] = {
    "boolean": True,
    "timestamp": 0,
    "blob": b"x",
    "double": 1.0,
    "float": 1.0,
}


class Sent(Exception):
    """Carries the request out of botocore before it leaves."""


def example(shape: Any, name: str = "") -> Any:
    """The least that a shape allows: required members alone."""
    match shape.type_name:
        case "structure":
            names = list(shape.members)[:1] if shape.is_tagged_union else shape.required_members
            return {each: example(shape.members[each], each) for each in names}
        case "list":
            return [example(shape.member)] * max(1, shape.metadata.get("min", 0))
        case "map":
            return {"key": example(shape.value)}
        case "integer" | "long":
            return shape.metadata.get("min", 1)
        case "string":
            return KVS_ARN if name == "KvsARN" else text(shape)
    return SIMPLE[shape.type_name]


def text(shape: Any) -> str:
    if shape.enum:
        return str(shape.enum[0])
    return "x" * int(max(3, shape.metadata.get("min", 0)))


def call_of(client: Any, operation: str, parameters: dict) -> Call:
    with pytest.raises(Sent) as sent:
        client._make_api_call(operation, parameters)
    request = sent.value.args[0]
    url = urlsplit(request.url)
    headers = {
        k.lower(): v.decode() if isinstance(v, bytes) else str(v)
        for k, v in request.headers.items()
    }
    body = request.body if isinstance(request.body, (bytes, str)) else b""
    body = body.encode() if isinstance(body, str) else body
    return Call(request.method, url.path, url.query, {"host": url.netloc, **headers}, body)


def client_of(service: Any, style: Any = "path") -> Any:
    def carry_out(request: Any, **_: Any) -> None:
        raise Sent(request)

    client = boto3.client(
        service,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=Config(
            s3={"addressing_style": style},
            retries={"total_max_attempts": 1},
            inject_host_prefix=False,
        ),
    )
    client.meta.events.register("before-send", carry_out)
    return client


@pytest.mark.parametrize(
    ("service", "style"), [*((each, "path") for each in SERVICES), ("s3", "virtual")]
)
def test_every_operation_is_recognised(service, style):
    client = client_of(service, style)
    model = client.meta.service_model
    recognised = {}
    for name in model.operation_names:
        shape = model.operation_model(name).input_shape
        call = call_of(client, name, example(shape) if shape else {})
        recognised[f"{service}.{name}"] = operation_of(call)
    assert recognised == {name: ALIKE.get(name, name) for name in recognised}


def test_keys_with_slashes_and_query_parameters_are_objects():
    client = client_of("s3")
    for key in ("a/b/c", "a/", "a?policy", "ü/+"):
        put = call_of(client, "PutObject", {"Bucket": "bucket", "Key": key, "Body": b""})
        assert operation_of(put) == "s3.PutObject"


@pytest.mark.parametrize("pattern", ["*", "s3.*", "*.Create*", "rds.CreateDBInstance", "acm.?e*"])
def test_patterns_that_can_match(pattern):
    assert is_known(pattern)


@pytest.mark.parametrize("pattern", ["", "s3", "s3.PutObjct", "nosuch.*", "PutObject"])
def test_patterns_that_match_nothing(pattern):
    assert not is_known(pattern)
