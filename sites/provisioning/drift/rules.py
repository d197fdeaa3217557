"""Which drift is a danger, and which cannot be accepted: tables, in words for people.

A rule is ``(type, prefix of the path): reason``; the empty prefix is every path, and "gone".
"""

from __future__ import annotations

from sites.provisioning.resources.base import OWNER_TAGS

Rules = dict[tuple[str, str], str]

_ROLE = "It decides what the function may do, and who may act as it."
_RECORD = "A name that points elsewhere sends your visitors, or your certificate, to somebody else."
_CALLERS = "It decides who may call the function: only this site's distribution should."
_TLS = "It decides how old the encryption may be that visitors are offered."
_HEADERS = "Browsers protect visitors less without these headers."
_SIGNED = "It is what keeps an origin closed to everybody but this distribution."

DANGERS: Rules = {
    ("alias_record", ""): _RECORD,
    ("validation_record", ""): _RECORD,
    ("artifact", "Keys"): "Functions are made of this code.",
    ("bucket", "Encryption"): "Objects may be stored unencrypted, or under somebody else's key.",
    ("bucket", "OwnershipControls"): "Access lists count again: single objects can be made public.",
    ("bucket", "PublicAccessBlock"): "The bucket can be opened to everybody.",
    ("bucket_policy", ""): "It decides who may read the bucket: only this site's distribution "
    "should.",
    ("db_instance", "BackupRetentionPeriod"): "Visits that are lost cannot be brought back.",
    ("db_instance", "DeletionProtection"): "One call can delete the visits of every site.",
    ("db_instance", "IAMDatabaseAuthenticationEnabled"): "Functions reach it by a signed token "
    "that nothing else replaces but a password.",
    ("db_instance", "PubliclyAccessible"): "The database can be reached from the internet.",
    ("db_instance", "VpcSecurityGroupIds"): "It decides who may reach the database.",
    ("distribution", "Aliases"): "A domain that the edge no longer holds can be taken by another "
    "account.",
    ("distribution", "CacheBehaviors"): "It decides which paths are answered by whom, and whether "
    "without TLS.",
    ("distribution", "DefaultCacheBehavior.FunctionAssociations"): "This code runs on each of your "
    "visitors' requests.",
    ("distribution", "DefaultCacheBehavior.LambdaFunctionAssociations"): "This code runs on each "
    "of your visitors' requests.",
    ("distribution", "DefaultCacheBehavior.ResponseHeadersPolicyId"): _HEADERS,
    (
        "distribution",
        "DefaultCacheBehavior.TargetOriginId",
    ): "Another origin answers your visitors.",
    ("distribution", "DefaultCacheBehavior.ViewerProtocolPolicy"): "Visitors may be answered "
    "without encryption.",
    ("distribution", "Origins"): _SIGNED,
    ("distribution", "ViewerCertificate"): _TLS,
    ("function", ""): "This code runs on each of your visitors' requests.",
    ("function_permission", ""): _CALLERS,
    ("function_url", "AuthType"): "Anybody may call the function, unsigned.",
    ("function_url", "PublicStatements"): "Anybody may call the function.",
    ("lambda_function", "CodeSha256"): "It runs code that is not ours.",
    ("lambda_function", "Role"): _ROLE,
    ("origin_access_control", ""): _SIGNED,
    ("permission_boundary", ""): "It is the most that the functions of this account may ever do.",
    ("response_headers_policy", ""): _HEADERS,
    ("role", "AssumeRolePolicyDocument"): _ROLE,
    ("role", "OtherPolicies"): _ROLE,
    ("role", "PermissionsBoundary"): _ROLE,
    ("role", "Policy"): _ROLE,
    ("security_group", "IpPermissions"): "It decides who may reach the counters' database.",
}

_OWNER = "This tag says whose it is. Restore it, or take the resource out of the site."
_ANEW = "Were it made anew, it would come without this, so it cannot be kept. Restore it."
_CODE = "Its code comes with cloudadmin and is replaced with it. Restore it."

FIXED: Rules = {
    ("alias_record", ""): "A record that points elsewhere serves somebody else. Restore it, or "
    "remove the domain from the site.",
    ("validation_record", ""): "The certificate is renewed by this record. Restore it.",
    ("artifact", ""): _CODE,
    ("counter_schema", ""): "The counter needs its newest tables. Restore them.",
    ("distribution", "Aliases"): "A site's names are its domains. Add or remove them in the site's "
    "settings, or restore.",
    ("function", ""): _CODE,
    ("function_permission", ""): "AWS cannot change a permission, only make it anew. Restore it.",
    ("function_url", "PublicStatements"): _ANEW,
    ("lambda_function", "CodeSha256"): _CODE,
    ("role", "OtherPolicies"): _ANEW,
    **{
        (type_, f"Tags.{tag}"): _OWNER
        for type_ in (
            *("bucket", "db_instance", "distribution", "lambda_function", "role"),
            "security_group",
        )
        for tag in OWNER_TAGS
    },
}

# What AWS takes together or not at all.
TOGETHER = (("ViewerCertificate.",), ("SubnetIds", "SecurityGroupIds"))


def reason(rules: Rules, resource_type: str, path: str) -> str:
    """Of the rule that the path falls under; empty when there is none."""
    for (type_, prefix), why in rules.items():
        if type_ == resource_type and path.startswith(prefix):
            return why
    return ""
