"""An account on the local cloud with one of each thing, for calls that AWS would refuse."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import uuid
import zipfile
from collections.abc import Callable
from functools import cached_property, lru_cache
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import boto3
import pytest
from botocore.config import Config

from cloudadmin.aws import ClientError, error_code
from tests.localcloud.conftest import CACHING_OPTIMIZED

ACCOUNT = "000000000000"
LAMBDA_TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "lambda.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
)


def bucket_policy(bucket: str, **more: Any) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "cloudfront.amazonaws.com"},
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
        "Condition": {"StringEquals": {"AWS:SourceAccount": ACCOUNT}},
        **more,
    }
    present = {name: value for name, value in statement.items() if value is not None}
    return json.dumps({"Version": "2012-10-17", "Statement": [present]})


def md5(body: bytes) -> str:
    return base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()


def sha256(body: bytes) -> str:
    return base64.b64encode(hashlib.sha256(body).digest()).decode()


def listed(found: list[Any]) -> dict[str, Any]:
    return {"Quantity": len(found), "Items": found}


def _padded(document: dict[str, Any], size: int) -> str:
    written = json.dumps(document | {"Id": ""})
    return json.dumps(document | {"Id": "x" * (size - len("".join(written.split())))})


@lru_cache
def unchecked_client(endpoint: str, service: Any) -> Any:
    """One for all worlds: making it costs more than most calls."""
    client = boto3.client(
        service,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
        endpoint_url=endpoint,
        config=Config(
            retries={"total_max_attempts": 1},
            parameter_validation=False,
            s3={"addressing_style": "path"},
        ),
    )

    def to_local_cloud(request: Any, **_: Any) -> None:
        request.url = urlunsplit(urlsplit(request.url)._replace(netloc=urlsplit(endpoint).netloc))

    client.meta.events.register("before-send.cloudfront-keyvaluestore", to_local_cloud)
    return client


class World:
    """Things are made when they are first asked for. Calls go out unchecked, and once."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.name = f"world-{uuid.uuid4().hex[:12]}"
        self.domain = f"{self.name}.example"

    def client(self, service: Any) -> Any:
        return unchecked_client(self.endpoint, service)

    @cached_property
    def s3(self) -> Any:
        return self.client("s3")

    @cached_property
    def cloudfront(self) -> Any:
        return self.client("cloudfront")

    @cached_property
    def kvs(self) -> Any:
        return self.client("cloudfront-keyvaluestore")

    @cached_property
    def lambda_(self) -> Any:
        return self.client("lambda")

    @cached_property
    def iam(self) -> Any:
        return self.client("iam")

    @cached_property
    def acm(self) -> Any:
        return self.client("acm")

    @cached_property
    def rds(self) -> Any:
        return self.client("rds")

    @cached_property
    def route53(self) -> Any:
        return self.client("route53")

    @cached_property
    def bucket(self) -> str:
        self.s3.create_bucket(Bucket=self.name)
        return self.name

    @cached_property
    def oac(self) -> str:
        return str(self.new_oac()["OriginAccessControl"]["Id"])

    def new_oac(self) -> Any:
        return self.cloudfront.create_origin_access_control(OriginAccessControlConfig=self.signing)

    @property
    def signing(self) -> dict[str, str]:
        return {
            "Name": self.name,
            "SigningProtocol": "sigv4",
            "SigningBehavior": "always",
            "OriginAccessControlOriginType": "s3",
        }

    @cached_property
    def store(self) -> str:
        made = self.cloudfront.create_key_value_store(Name=self.name)
        return str(made["KeyValueStore"]["ARN"])

    def store_etag(self) -> str:
        return str(self.kvs.describe_key_value_store(KvsARN=self.store)["ETag"])

    def function_config(self) -> dict[str, Any]:
        return {
            "Comment": "",
            "Runtime": "cloudfront-js-2.0",
            "KeyValueStoreAssociations": listed([{"KeyValueStoreARN": self.store}]),
        }

    def new_function(self, code: bytes = b"function handler(e) { return e.request }") -> Any:
        return self.cloudfront.create_function(
            Name=self.name, FunctionConfig=self.function_config(), FunctionCode=code
        )

    @cached_property
    def function(self) -> str:
        """The ARN of a published function that uses the store."""
        made = self.new_function()
        self.cloudfront.publish_function(Name=self.name, IfMatch=made["ETag"])
        return str(made["FunctionSummary"]["FunctionMetadata"]["FunctionARN"])

    @cached_property
    def headers_policy(self) -> str:
        made = self.cloudfront.create_response_headers_policy(
            ResponseHeadersPolicyConfig={"Name": self.name}
        )
        return str(made["ResponseHeadersPolicy"]["Id"])

    @cached_property
    def request_policy(self) -> str:
        made = self.cloudfront.create_origin_request_policy(
            OriginRequestPolicyConfig={
                "Name": self.name,
                "HeadersConfig": {"HeaderBehavior": "none"},
                "CookiesConfig": {"CookieBehavior": "none"},
                "QueryStringsConfig": {"QueryStringBehavior": "all"},
            }
        )
        return str(made["OriginRequestPolicy"]["Id"])

    @cached_property
    def cache_policy(self) -> str:
        made = self.cloudfront.create_cache_policy(
            CachePolicyConfig={"Name": self.name, "MinTTL": 0}
        )
        return str(made["CachePolicy"]["Id"])

    def config(self, behavior: Any = None, **more: Any) -> dict[str, Any]:
        """A distribution that uses one of each; ``behavior`` and ``more`` replace parts of it."""
        origin = {
            "Id": "bucket",
            "DomainName": f"{self.name}.s3.us-east-1.amazonaws.com",
            "S3OriginConfig": {"OriginAccessIdentity": ""},
            "OriginAccessControlId": self.oac,
        }
        association = {"EventType": "viewer-request", "FunctionARN": self.function}
        return {
            "CallerReference": self.name,
            "Comment": "",
            "Enabled": True,
            "Origins": listed([origin | more.pop("origin", {})]),
            "DefaultCacheBehavior": {
                "TargetOriginId": "bucket",
                "ViewerProtocolPolicy": "redirect-to-https",
                "CachePolicyId": self.cache_policy,
                "OriginRequestPolicyId": self.request_policy,
                "ResponseHeadersPolicyId": self.headers_policy,
                "FunctionAssociations": listed([association]),
                **(behavior or {}),
            },
            **more,
        }

    def plain(self, **more: Any) -> dict[str, Any]:
        """The config of another distribution, that uses only what AWS has ready."""
        return {
            "CallerReference": str(uuid.uuid4()),
            "Comment": "",
            "Enabled": True,
            "Origins": listed(
                [
                    {
                        "Id": "bucket",
                        "DomainName": f"{self.name}.s3.us-east-1.amazonaws.com",
                        "S3OriginConfig": {"OriginAccessIdentity": ""},
                    }
                ]
            ),
            "DefaultCacheBehavior": {
                "TargetOriginId": "bucket",
                "ViewerProtocolPolicy": "redirect-to-https",
                "CachePolicyId": CACHING_OPTIMIZED,
            },
            **more,
        }

    def distribute(self, config: dict[str, Any]) -> Any:
        return self.cloudfront.create_distribution(DistributionConfig=config)

    @cached_property
    def distribution(self) -> str:
        return str(self.distribute(self.config())["Distribution"]["Id"])

    def etag(self) -> str:
        return str(self.cloudfront.get_distribution(Id=self.distribution)["ETag"])

    def reconfigure(self, **more: Any) -> Any:
        return self.cloudfront.update_distribution(
            Id=self.distribution, IfMatch=self.etag(), DistributionConfig=self.config(**more)
        )

    def invalidate(self, *paths: str, reference: str = "") -> Any:
        return self.cloudfront.create_invalidation(
            DistributionId=self.distribution,
            InvalidationBatch={
                "Paths": listed(list(paths)),
                "CallerReference": reference or str(uuid.uuid4()),
            },
        )

    @cached_property
    def certificate(self) -> str:
        made = self.acm.request_certificate(DomainName=self.domain, ValidationMethod="DNS")
        return str(made["CertificateArn"])

    @property
    def viewer_certificate(self) -> dict[str, str]:
        return {
            "ACMCertificateArn": self.certificate,
            "SSLSupportMethod": "sni-only",
            "MinimumProtocolVersion": "TLSv1.2_2021",
        }

    @cached_property
    def role(self) -> str:
        made = self.iam.create_role(RoleName=self.name, AssumeRolePolicyDocument=LAMBDA_TRUST)
        return str(made["Role"]["Arn"])

    @staticmethod
    def trust(size: int) -> str:
        """A trust policy of so many characters, besides white space."""
        return _padded(json.loads(LAMBDA_TRUST), size)

    @staticmethod
    def allowance(size: int) -> str:
        """A policy of so many characters, besides white space."""
        statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
        return _padded({"Version": "2012-10-17", "Statement": [statement]}, size)

    def code(self) -> bytes:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("f.py", "def handler(event, context): return {}")
        return packed.getvalue()

    def new_lambda(self, **more: Any) -> Any:
        return self.lambda_.create_function(
            **{
                "FunctionName": self.name,
                "Runtime": "python3.12",
                "Handler": "f.handler",
                "Code": {"ZipFile": self.code()},
                **(more if "Role" in more else {"Role": self.role, **more}),
            }
        )

    @cached_property
    def function_arn(self) -> str:
        """Of a Lambda function."""
        return str(self.new_lambda()["FunctionArn"])

    @cached_property
    def zone(self) -> str:
        made = self.route53.create_hosted_zone(Name=self.domain, CallerReference=self.name)
        return str(made["HostedZone"]["Id"])

    def record(self, action: str, label: str, kind: str, *values: str, ttl: int = 60) -> Any:
        return self.records([self.change(action, label, kind, *values, ttl=ttl)])

    def change(
        self, action: str, label: str, kind: str, *values: str, ttl: int = 60, domain: str = ""
    ) -> Any:
        return {
            "Action": action,
            "ResourceRecordSet": {
                "Name": f"{label}{domain or self.domain}",
                "Type": kind,
                "TTL": ttl,
                "ResourceRecords": [{"Value": value} for value in values],
            },
        }

    def records(self, changes: list[Any]) -> Any:
        return self.route53.change_resource_record_sets(
            HostedZoneId=self.zone, ChangeBatch={"Changes": changes}
        )


Refusal = tuple[str, Callable[[World], Any], str, int]


def check(world: World, call: Callable[[World], Any], code: str, status: int) -> None:
    with pytest.raises(ClientError) as refused:
        call(world)
    metadata = refused.value.response["ResponseMetadata"]
    assert (error_code(refused.value), metadata["HTTPStatusCode"]) == (code, status)


def table(rows: list[Refusal]) -> Any:
    return pytest.mark.parametrize(
        ("call", "code", "status"), [pytest.param(*row[1:], id=row[0]) for row in rows]
    )


def nobody(kind: str) -> dict[str, str]:
    return {"AWS": f"arn:aws:iam::{ACCOUNT}:{kind}/nobody"}
