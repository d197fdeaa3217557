"""One module per AWS thing, each with the same four verbs: read, create, update, delete."""

from __future__ import annotations

from sites.provisioning.resources.artifact import Artifact
from sites.provisioning.resources.base import Resource
from sites.provisioning.resources.bucket import Bucket
from sites.provisioning.resources.bucket_policy import BucketPolicy
from sites.provisioning.resources.cache_policy import CachePolicy
from sites.provisioning.resources.certificate import Certificate
from sites.provisioning.resources.counter_schema import CounterSchema
from sites.provisioning.resources.db_instance import DbInstance
from sites.provisioning.resources.db_subnet_group import DbSubnetGroup
from sites.provisioning.resources.distribution import Distribution
from sites.provisioning.resources.function import Function
from sites.provisioning.resources.function_permission import FunctionPermission
from sites.provisioning.resources.function_url import FunctionUrl
from sites.provisioning.resources.key_value_store import KeyValueStore
from sites.provisioning.resources.lambda_function import LambdaFunction
from sites.provisioning.resources.log_group import LogGroup
from sites.provisioning.resources.origin_access_control import OriginAccessControl
from sites.provisioning.resources.origin_request_policy import OriginRequestPolicy
from sites.provisioning.resources.permission_boundary import PermissionBoundary
from sites.provisioning.resources.record_set import AliasRecord, ValidationRecord
from sites.provisioning.resources.response_headers_policy import ResponseHeadersPolicy
from sites.provisioning.resources.role import Role
from sites.provisioning.resources.security_group import SecurityGroup

__all__ = [
    "TYPES",
    "AliasRecord",
    "Artifact",
    "Bucket",
    "BucketPolicy",
    "CachePolicy",
    "Certificate",
    "CounterSchema",
    "DbInstance",
    "DbSubnetGroup",
    "Distribution",
    "Function",
    "FunctionPermission",
    "FunctionUrl",
    "KeyValueStore",
    "LambdaFunction",
    "LogGroup",
    "OriginAccessControl",
    "OriginRequestPolicy",
    "PermissionBoundary",
    "Resource",
    "ResponseHeadersPolicy",
    "Role",
    "SecurityGroup",
    "ValidationRecord",
]

# Type -> class: how a recorded resource becomes one again.
TYPES: dict[str, type[Resource]] = {
    resource.type: resource
    for resource in (
        AliasRecord,
        Artifact,
        Bucket,
        BucketPolicy,
        CachePolicy,
        Certificate,
        CounterSchema,
        DbInstance,
        DbSubnetGroup,
        Distribution,
        Function,
        FunctionPermission,
        FunctionUrl,
        KeyValueStore,
        LambdaFunction,
        LogGroup,
        OriginAccessControl,
        OriginRequestPolicy,
        PermissionBoundary,
        ResponseHeadersPolicy,
        Role,
        SecurityGroup,
        ValidationRecord,
    )
}
