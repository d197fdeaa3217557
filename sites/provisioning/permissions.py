"""What cloudadmin may do on an account: the one list.

``docs/iam-policy*.json`` are made from it, and preflight asks for the parts that a plan needs. Only
what is called, on what has our name or our tag wherever AWS can tell:
https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Condition = Mapping[str, Mapping[str, str | list[str]]]

NAME = "cloudadmin-*"
OURS: Condition = {"StringEquals": {"aws:ResourceTag/cloudadmin:managed-by": "cloudadmin"}}
# Whatever role is made can do no more than the boundary, which no other name can have.
BOUNDED: Condition = {"ArnLike": {"iam:PermissionsBoundary": f"arn:aws:iam::*:policy/{NAME}"}}


@dataclass(frozen=True)
class Grant:
    """Actions on resources, for the sake of resources of these types; without any, to look."""

    sid: str
    actions: tuple[str, ...]
    resources: tuple[str, ...] = ("*",)
    types: frozenset[str] = frozenset()
    condition: Condition = field(default_factory=dict)

    def as_statement(self) -> dict[str, Any]:
        resources = [*self.resources]
        return {
            "Sid": self.sid,
            "Effect": "Allow",
            "Action": sorted(self.actions),
            "Resource": resources if len(resources) > 1 else resources[0],
            **({"Condition": self.condition} if self.condition else {}),
        }


def _actions(service: str, names: str) -> tuple[str, ...]:
    return tuple(f"{service}:{name}" for name in names.split())


def _cloudfront(kind: str) -> str:
    return f"arn:aws:cloudfront::*:{kind}"


POLICIES = frozenset(
    {"cache_policy", "origin_access_control", "origin_request_policy", "response_headers_policy"}
)
EDGE = frozenset({"distribution", "function", "key_value_store"})
BUCKETS = frozenset({"artifact", "bucket", "bucket_policy"})
LAMBDAS = frozenset({"counter_schema", "function_permission", "function_url", "lambda_function"})
RECORDS = frozenset({"alias_record", "validation_record"})
CERTIFICATES = frozenset({"certificate"})
DISTRIBUTIONS = frozenset({"distribution"})

SITE_GRANTS = (
    Grant(
        "Look",
        (
            "acm:ListCertificates",
            *_actions(
                "cloudfront",
                "ListCachePolicies ListDistributions ListFunctions ListKeyValueStores "
                "ListOriginAccessControls ListOriginRequestPolicies ListResponseHeadersPolicies",
            ),
            *_actions("iam", "ListPolicies ListRoles SimulatePrincipalPolicy"),
            *_actions("lambda", "GetAccountSettings ListFunctions"),
            "logs:DescribeLogGroups",
            *_actions("ec2", "DescribeSecurityGroups DescribeSubnets DescribeVpcs"),
            *_actions("rds", "DescribeDBInstances DescribeDBSnapshots DescribeDBSubnetGroups"),
            *_actions("route53", "ListHostedZones ListHostedZonesByName"),
            "s3:ListAllMyBuckets",
            "servicequotas:GetServiceQuota",
            "sts:GetCallerIdentity",
        ),
    ),
    Grant(
        "Buckets",
        _actions(
            "s3",
            "CreateBucket DeleteBucket DeleteBucketPolicy GetBucketOwnershipControls "
            "GetBucketPolicy GetBucketPublicAccessBlock GetBucketTagging "
            "GetEncryptionConfiguration GetLifecycleConfiguration ListBucket "
            "ListBucketMultipartUploads ListBucketVersions PutBucketOwnershipControls "
            "PutBucketPolicy PutBucketPublicAccessBlock PutBucketTagging "
            "PutEncryptionConfiguration PutLifecycleConfiguration",
        ),
        (f"arn:aws:s3:::{NAME}",),
        BUCKETS,
    ),
    Grant(
        "Objects",
        _actions(
            "s3",
            "AbortMultipartUpload DeleteObject DeleteObjectVersion GetObject "
            "ListMultipartUploadParts PutObject",
        ),
        (f"arn:aws:s3:::{NAME}/*",),
        BUCKETS,
    ),
    Grant(
        "EdgeMake",
        _actions(
            "cloudfront",
            "CreateCachePolicy CreateDistribution CreateFunction CreateKeyValueStore "
            "CreateOriginAccessControl CreateOriginRequestPolicy CreateResponseHeadersPolicy",
        ),
        types=EDGE | POLICIES,
    ),
    Grant(
        "EdgeTags",
        _actions("cloudfront", "ListTagsForResource TagResource"),
        (_cloudfront("distribution/*"), _cloudfront("key-value-store/*")),
        EDGE,
    ),
    Grant(
        "Distributions",
        _actions(
            "cloudfront",
            "CreateInvalidation GetDistribution GetDistributionConfig GetInvalidation",
        ),
        (_cloudfront("distribution/*"),),
        DISTRIBUTIONS,
    ),
    Grant(
        "OurDistributions",
        _actions("cloudfront", "DeleteDistribution UpdateDistribution"),
        (_cloudfront("distribution/*"),),
        DISTRIBUTIONS,
        OURS,
    ),
    Grant(
        "Functions",
        _actions(
            "cloudfront",
            "DeleteFunction DescribeFunction GetFunction PublishFunction UpdateFunction",
        ),
        (_cloudfront(f"function/{NAME}"),),
        frozenset({"function"}),
    ),
    Grant(
        "Stores",
        (
            "cloudfront:DescribeKeyValueStore",
            *_actions("cloudfront-keyvaluestore", "DescribeKeyValueStore UpdateKeys"),
        ),
        (_cloudfront("key-value-store/*"),),
        frozenset({"key_value_store"}),
    ),
    Grant(
        "OurStores",
        ("cloudfront:DeleteKeyValueStore",),
        (_cloudfront("key-value-store/*"),),
        frozenset({"key_value_store"}),
        OURS,
    ),
    Grant(
        "OriginAccessControls",
        _actions(
            "cloudfront",
            "DeleteOriginAccessControl GetOriginAccessControl UpdateOriginAccessControl",
        ),
        (_cloudfront("origin-access-control/*"),),
        frozenset({"origin_access_control"}),
    ),
    Grant(
        "OriginRequestPolicies",
        _actions(
            "cloudfront",
            "DeleteOriginRequestPolicy GetOriginRequestPolicy UpdateOriginRequestPolicy",
        ),
        (_cloudfront("origin-request-policy/*"),),
        frozenset({"origin_request_policy"}),
    ),
    Grant(
        "CachePolicies",
        _actions("cloudfront", "DeleteCachePolicy GetCachePolicy UpdateCachePolicy"),
        (_cloudfront("cache-policy/*"),),
        frozenset({"cache_policy"}),
    ),
    Grant(
        "ResponseHeadersPolicies",
        _actions(
            "cloudfront",
            "DeleteResponseHeadersPolicy GetResponseHeadersPolicy UpdateResponseHeadersPolicy",
        ),
        (_cloudfront("response-headers-policy/*"),),
        frozenset({"response_headers_policy"}),
    ),
    Grant("CertificatesMake", ("acm:RequestCertificate",), types=CERTIFICATES),
    Grant(
        "Certificates",
        _actions("acm", "AddTagsToCertificate DescribeCertificate ListTagsForCertificate"),
        ("arn:aws:acm:us-east-1:*:certificate/*",),
        CERTIFICATES,
    ),
    Grant(
        "OurCertificates",
        ("acm:DeleteCertificate",),
        ("arn:aws:acm:us-east-1:*:certificate/*",),
        CERTIFICATES,
        OURS,
    ),
    Grant(
        "Zones",
        _actions("route53", "GetHostedZone ListResourceRecordSets"),
        ("arn:aws:route53:::hostedzone/*",),
        RECORDS,
    ),
    Grant(
        "Records",
        ("route53:ChangeResourceRecordSets",),
        ("arn:aws:route53:::hostedzone/*",),
        RECORDS,
        {
            "ForAllValues:StringEquals": {
                "route53:ChangeResourceRecordSetsRecordTypes": ["A", "AAAA", "CNAME"]
            }
        },
    ),
)

COUNTER_GRANTS = (
    Grant(
        "Lambda",
        _actions(
            "lambda",
            "AddPermission CreateFunction CreateFunctionUrlConfig DeleteFunction "
            "DeleteFunctionUrlConfig GetFunction GetFunctionUrlConfig GetPolicy InvokeFunction "
            "ListTags PutFunctionConcurrency RemovePermission TagResource UpdateFunctionCode "
            "UpdateFunctionConfiguration UpdateFunctionUrlConfig",
        ),
        (f"arn:aws:lambda:*:*:function:{NAME}",),
        LAMBDAS,
    ),
    # To tell what a function turned away; nothing that is made needs it.
    Grant("Throttles", ("cloudwatch:GetMetricStatistics",)),
    Grant(
        "Logs",
        _actions(
            "logs",
            "CreateLogGroup DeleteLogGroup DeleteRetentionPolicy ListTagsForResource "
            "PutRetentionPolicy TagResource",
        ),
        (f"arn:aws:logs:*:*:log-group:/aws/lambda/{NAME}",),
        frozenset({"log_group"}),
    ),
    Grant(
        "Roles",
        _actions(
            "iam",
            "DeleteRole DeleteRolePolicy DetachRolePolicy GetRole GetRolePolicy "
            "ListAttachedRolePolicies ListRolePolicies ListRoleTags TagRole UpdateAssumeRolePolicy",
        ),
        (f"arn:aws:iam::*:role/cloudadmin/{NAME}",),
        frozenset({"role"}),
    ),
    Grant(
        "BoundedRoles",
        _actions("iam", "CreateRole PutRolePermissionsBoundary PutRolePolicy"),
        (f"arn:aws:iam::*:role/cloudadmin/{NAME}",),
        frozenset({"role"}),
        BOUNDED,
    ),
    Grant(
        "PassRole",
        ("iam:PassRole",),
        (f"arn:aws:iam::*:role/cloudadmin/{NAME}",),
        frozenset({"lambda_function"}),
        {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}},
    ),
    Grant(
        "Boundary",
        _actions(
            "iam",
            "CreatePolicy CreatePolicyVersion DeletePolicy DeletePolicyVersion GetPolicy "
            "GetPolicyVersion ListPolicyTags ListPolicyVersions TagPolicy",
        ),
        (f"arn:aws:iam::*:policy/{NAME}",),
        frozenset({"permission_boundary"}),
    ),
    Grant(
        "Database",
        _actions(
            "rds",
            "AddTagsToResource CreateDBInstance CreateDBSnapshot DeleteDBInstance ModifyDBInstance",
        ),
        (f"arn:aws:rds:*:*:db:{NAME}", f"arn:aws:rds:*:*:snapshot:{NAME}"),
        frozenset({"db_instance"}),
    ),
    # What an instance is made with when nothing else is said.
    Grant(
        "DatabaseDefaults",
        ("rds:CreateDBInstance",),
        ("arn:aws:rds:*:*:og:default:*", "arn:aws:rds:*:*:pg:default.*"),
        frozenset({"db_instance"}),
    ),
    Grant(
        "DatabaseSubnets",
        _actions(
            "rds",
            "AddTagsToResource CreateDBInstance CreateDBSubnetGroup DeleteDBSubnetGroup "
            "ListTagsForResource",
        ),
        (f"arn:aws:rds:*:*:subgrp:{NAME}",),
        frozenset({"db_subnet_group", "db_instance"}),
    ),
    Grant(
        "SecurityGroupMake",
        ("ec2:CreateSecurityGroup",),
        ("arn:aws:ec2:*:*:security-group/*", "arn:aws:ec2:*:*:vpc/*"),
        frozenset({"security_group"}),
    ),
    Grant(
        "SecurityGroupTags",
        ("ec2:CreateTags",),
        ("arn:aws:ec2:*:*:security-group/*",),
        frozenset({"security_group"}),
        {"StringEquals": {"ec2:CreateAction": "CreateSecurityGroup"}},
    ),
    Grant(
        "OurSecurityGroups",
        _actions(
            "ec2",
            "AuthorizeSecurityGroupIngress CreateTags DeleteSecurityGroup "
            "RevokeSecurityGroupIngress",
        ),
        ("arn:aws:ec2:*:*:security-group/*",),
        frozenset({"security_group"}),
        OURS,
    ),
    # Before an account's first database.
    # https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAM.ServiceLinkedRoles.html
    Grant(
        "DatabaseFirst",
        ("iam:CreateServiceLinkedRole",),
        ("arn:aws:iam::*:role/aws-service-role/rds.amazonaws.com/*",),
        frozenset({"db_instance"}),
        {"StringEquals": {"iam:AWSServiceName": "rds.amazonaws.com"}},
    ),
)


GRANTS = SITE_GRANTS + COUNTER_GRANTS


def policy(grants: Iterable[Grant]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [grant.as_statement() for grant in grants]}


def needed(types: Collection[str]) -> tuple[Grant, ...]:
    """What changes to resources of these types need."""
    return tuple(grant for grant in GRANTS if not grant.types.isdisjoint(types))
