"""Reads from MiniStack what the edge must know, one thing at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from localcloud.edge.config import CachePolicy, Distribution, Function, FunctionUrl, Passes, items

REGION = "us-east-1"


class Reader:
    """Blocking: call it from a thread. Every ``read`` answers None for what does not exist."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self._session = boto3.Session(
            aws_access_key_id="local",
            aws_secret_access_key="local",  # noqa: S106
            region_name=REGION,
        )
        self.s3 = self.client("s3")
        self.cloudfront = self.client("cloudfront")
        self.lambda_ = self.client("lambda")
        self.route53 = self.client("route53")
        self.iam = self.client("iam")
        self.keyvaluestore = self.client("cloudfront-keyvaluestore")
        self.keyvaluestore.meta.events.register(
            "before-send.cloudfront-keyvaluestore", self._to_emulator
        )

    def client(self, service: Any) -> Any:
        return self._session.client(
            service,
            endpoint_url=self.endpoint,
            config=Config(max_pool_connections=16, retries={"total_max_attempts": 2}, proxies={}),
        )

    def _to_emulator(self, request: Any, **_: Any) -> None:
        # The client puts the account id before the host name.
        request.url = urlunsplit(
            urlsplit(request.url)._replace(netloc=urlsplit(self.endpoint).netloc)
        )

    def read(self, kind: str, key: str) -> Any:
        """The thing of that kind (a word of ``KINDS``) with that id, name or ARN."""
        try:
            return KINDS[kind](self, key)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                return None
            raise

    def everything(self) -> Iterator[tuple[str, str]]:
        """The kind and key of all that stands, dependencies before what uses them."""
        for store in items(self.cloudfront.list_key_value_stores()["KeyValueStoreList"]):
            yield "store", store["ARN"]
        for function in items(self.cloudfront.list_functions(Stage="LIVE")["FunctionList"]):
            yield "function", function["Name"]
        for bucket in self.s3.list_buckets()["Buckets"]:
            yield "bucket_policy", bucket["Name"]
        for page in self.lambda_.get_paginator("list_functions").paginate():
            for function in page["Functions"]:
                yield "function_url", function["FunctionName"]
        for page in self.cloudfront.get_paginator("list_distributions").paginate():
            for summary in items(page["DistributionList"]):
                yield "distribution", summary["Id"]

    def _distribution(self, key: str) -> Distribution:
        block = self.cloudfront.get_distribution(Id=key)["Distribution"]
        tags = self.cloudfront.list_tags_for_resource(Resource=block["ARN"])["Tags"]
        return Distribution.read(block, items(tags))

    def _function(self, key: str) -> Function:
        code = self.cloudfront.get_function(Name=key, Stage="LIVE")["FunctionCode"].read()
        summary = self.cloudfront.describe_function(Name=key, Stage="LIVE")["FunctionSummary"]
        stores = items(summary["FunctionConfig"].get("KeyValueStoreAssociations"))
        return Function(code.decode(), stores[0]["KeyValueStoreARN"] if stores else "")

    def _store(self, key: str) -> dict[str, str]:
        pages = self.keyvaluestore.get_paginator("list_keys").paginate(
            KvsARN=key, PaginationConfig={"PageSize": 50}
        )
        return {item["Key"]: item["Value"] for page in pages for item in page.get("Items", [])}

    def _cache_policy(self, key: str) -> CachePolicy:
        policy = self.cloudfront.get_cache_policy(Id=key)["CachePolicy"]
        return CachePolicy.read(policy["CachePolicyConfig"])

    def _origin_request_policy(self, key: str) -> Passes:
        policy = self.cloudfront.get_origin_request_policy(Id=key)["OriginRequestPolicy"]
        return Passes.read(policy["OriginRequestPolicyConfig"])

    def _response_headers_policy(self, key: str) -> Mapping[str, Any]:
        policy = self.cloudfront.get_response_headers_policy(Id=key)["ResponseHeadersPolicy"]
        found: Mapping[str, Any] = policy["ResponseHeadersPolicyConfig"]
        return found

    def _origin_access_control(self, key: str) -> Mapping[str, Any]:
        found = self.cloudfront.get_origin_access_control(Id=key)["OriginAccessControl"]
        config: Mapping[str, Any] = found["OriginAccessControlConfig"]
        return config

    def _bucket_policy(self, key: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = json.loads(self.s3.get_bucket_policy(Bucket=key)["Policy"])
        return found

    def _function_url(self, key: str) -> FunctionUrl:
        config = self.lambda_.get_function_url_config(FunctionName=key)
        try:
            policy = json.loads(self.lambda_.get_policy(FunctionName=key)["Policy"])
        except self.lambda_.exceptions.ResourceNotFoundException:
            policy = {}
        return FunctionUrl(
            urlsplit(config["FunctionUrl"]).netloc,
            config["FunctionArn"],
            config["AuthType"],
            policy,
        )


KINDS = {
    "distribution": Reader._distribution,
    "function": Reader._function,
    "store": Reader._store,
    "cache_policy": Reader._cache_policy,
    "origin_request_policy": Reader._origin_request_policy,
    "response_headers_policy": Reader._response_headers_policy,
    "origin_access_control": Reader._origin_access_control,
    "bucket_policy": Reader._bucket_policy,
    "function_url": Reader._function_url,
}
