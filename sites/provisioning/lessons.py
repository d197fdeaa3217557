"""What each thing is for, and the calls that make it, for people who want to know.

One lesson for each type of resource. The ``aws`` lines do the same by hand; ``NAME`` stands for the
thing's own name, and a file in them is one that its author writes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

# What the command line calls a service, where it is not AWS's own short name.
COMMANDS = {"s3": "s3api"}
WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


@dataclass(frozen=True)
class Call:
    """``action`` is AWS's name of it, as in its API reference and in CloudTrail."""

    service: str
    action: str
    does: str
    arguments: str = ""

    @property
    def name(self) -> str:
        return f"{self.service}:{self.action}"

    def as_command(self, label: str) -> str:
        """The same for a shell, about the thing of this name."""
        service = COMMANDS.get(self.service, self.service)
        verb = WORDS.sub("-", self.action).lower()
        return f"aws {service} {verb} {self.arguments}".strip().replace("NAME", label)


@dataclass(frozen=True)
class Lesson:
    """``title`` names the thing as people do, ``why`` says in a sentence what it is for."""

    title: str
    why: str
    calls: tuple[Call, ...]


LESSONS: dict[str, Lesson] = {
    "bucket": Lesson(
        "Private storage",
        "Your files are kept here, closed to everybody but your own CDN.",
        (
            Call("s3", "CreateBucket", "makes an empty bucket.", "--bucket NAME"),
            Call(
                "s3",
                "PutPublicAccessBlock",
                "closes it to the public, whatever a policy may say later.",
                "--bucket NAME --public-access-block-configuration BlockPublicAcls=true,"
                "IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true",
            ),
            Call(
                "s3",
                "PutBucketOwnershipControls",
                "makes all in it yours, without access lists.",
                "--bucket NAME --ownership-controls Rules=[{ObjectOwnership=BucketOwnerEnforced}]",
            ),
            Call(
                "s3",
                "PutBucketEncryption",
                "has it encrypted at rest.",
                "--bucket NAME --server-side-encryption-configuration file://encryption.json",
            ),
            Call(
                "s3",
                "PutBucketLifecycleConfiguration",
                "clears away uploads that were broken off.",
                "--bucket NAME --lifecycle-configuration file://lifecycle.json",
            ),
            Call(
                "s3",
                "PutBucketTagging",
                "says whose it is.",
                "--bucket NAME --tagging file://tags.json",
            ),
        ),
    ),
    "bucket_policy": Lesson(
        "Permission to read the files",
        "Only your distribution may read the bucket, and only over TLS.",
        (
            Call(
                "s3",
                "PutBucketPolicy",
                "writes down who may read.",
                "--bucket NAME --policy file://policy.json",
            ),
        ),
    ),
    "key_value_store": Lesson(
        "Index of the files",
        "It tells every edge which version of each file is the current one, so that a release or a "
        "rollback is one small write.",
        (Call("cloudfront", "CreateKeyValueStore", "makes an empty store.", "--name NAME"),),
    ),
    "function": Lesson(
        "Code at the edge",
        "A small script that looks each address up in the index, and one that writes the headers.",
        (
            Call(
                "cloudfront",
                "CreateFunction",
                "uploads the script and connects it to the index.",
                "--name NAME --function-config file://config.json --function-code "
                "fileb://router.js",
            ),
            Call(
                "cloudfront",
                "PublishFunction",
                "makes that version the live one.",
                "--name NAME --if-match ETAG",
            ),
        ),
    ),
    "distribution": Lesson(
        "Worldwide delivery (CDN)",
        "CloudFront answers your visitors from a place near them, over HTTPS, at an address of its "
        "own from the first minute.",
        (
            Call(
                "cloudfront",
                "CreateDistributionWithTags",
                "makes the distribution; AWS then tells every edge location, which takes minutes.",
                "--distribution-config-with-tags file://distribution.json",
            ),
        ),
    ),
    "origin_access_control": Lesson(
        "Key to the storage",
        "It lets CloudFront sign what it asks of your bucket or function, so that both can stay "
        "private.",
        (
            Call(
                "cloudfront",
                "CreateOriginAccessControl",
                "makes the signing rule.",
                "--origin-access-control-config Name=NAME,SigningProtocol=sigv4,"
                "SigningBehavior=always,OriginAccessControlOriginType=s3",
            ),
        ),
    ),
    "origin_request_policy": Lesson(
        "What is passed on",
        "It names what your own code is told about a request, and leaves out the rest.",
        (
            Call(
                "cloudfront",
                "CreateOriginRequestPolicy",
                "names the headers that are passed on.",
                "--origin-request-policy-config file://policy.json",
            ),
        ),
    ),
    "response_headers_policy": Lesson(
        "Security headers",
        "Every answer tells browsers to insist on HTTPS and to guess nothing.",
        (
            Call(
                "cloudfront",
                "CreateResponseHeadersPolicy",
                "writes the headers down once.",
                "--response-headers-policy-config file://headers.json",
            ),
        ),
    ),
    "cache_policy": Lesson(
        "How long numbers are kept",
        "The badge of the visitor counter is kept for some seconds, so that a busy page costs "
        "nothing.",
        (
            Call(
                "cloudfront",
                "CreateCachePolicy",
                "sets what is kept, and for how long.",
                "--cache-policy-config file://policy.json",
            ),
        ),
    ),
    "certificate": Lesson(
        "Certificate for your domain",
        "It lets browsers trust your domain. Amazon issues it once your DNS shows that the domain "
        "is yours, and renews it by itself.",
        (
            Call(
                "acm",
                "RequestCertificate",
                "asks for it and names the DNS record that proves the domain.",
                "--domain-name NAME --validation-method DNS --region us-east-1",
            ),
        ),
    ),
    "validation_record": Lesson(
        "Proof that the domain is yours",
        "A DNS record that Amazon looks for before it issues the certificate, and at each renewal.",
        (
            Call(
                "route53",
                "ChangeResourceRecordSets",
                "adds the record to your hosted zone.",
                "--hosted-zone-id ZONE --change-batch file://record.json",
            ),
        ),
    ),
    "alias_record": Lesson(
        "Your domain's way here",
        "The DNS record that leads visitors of your domain to the distribution.",
        (
            Call(
                "route53",
                "ChangeResourceRecordSets",
                "adds the record to your hosted zone.",
                "--hosted-zone-id ZONE --change-batch file://record.json",
            ),
        ),
    ),
    "db_subnet_group": Lesson(
        "Place for the counter's database",
        "It says in which networks of your account the database may be.",
        (
            Call(
                "rds",
                "CreateDBSubnetGroup",
                "lists the subnets of the default network.",
                "--db-subnet-group-name NAME --db-subnet-group-description cloudadmin "
                "--subnet-ids SUBNETS",
            ),
        ),
    ),
    "security_group": Lesson(
        "Firewall of the counter's database",
        "Only the counters themselves reach the database.",
        (
            Call(
                "ec2",
                "CreateSecurityGroup",
                "makes a group that lets nobody in.",
                "--group-name NAME --description cloudadmin --vpc-id VPC",
            ),
            Call(
                "ec2",
                "AuthorizeSecurityGroupIngress",
                "lets in its own members, for PostgreSQL alone.",
                "--group-id GROUP --protocol tcp --port 5432 --source-group GROUP",
            ),
        ),
    ),
    "db_instance": Lesson(
        "Database of the visitor counter",
        "A small PostgreSQL that keeps the counts of all sites of the account.",
        (
            Call(
                "rds",
                "CreateDBInstance",
                "starts the database, which takes some minutes.",
                "--db-instance-identifier NAME --engine postgres --db-instance-class db.t4g.micro "
                "--allocated-storage 20 --storage-encrypted --enable-iam-database-authentication "
                "--manage-master-user-password --master-username cloudadmin",
            ),
        ),
    ),
    "permission_boundary": Lesson(
        "Limit of what code may do",
        "Whatever a role of ours says, it can never do more than this.",
        (
            Call(
                "iam",
                "CreatePolicy",
                "writes the limit down.",
                "--policy-name NAME --policy-document file://boundary.json",
            ),
        ),
    ),
    "artifact": Lesson(
        "Code of the visitor counter",
        "The program that counts, put where Lambda fetches it.",
        (
            Call(
                "s3",
                "PutObject",
                "uploads the program as a zip.",
                "--bucket ARTIFACTS --key NAME --body counter.zip",
            ),
        ),
    ),
    "log_group": Lesson(
        "Log of the visitor counter",
        "What the counter says is kept for 14 days, then deleted.",
        (
            Call("logs", "CreateLogGroup", "makes the log.", "--log-group-name NAME"),
            Call(
                "logs",
                "PutRetentionPolicy",
                "deletes entries after 14 days.",
                "--log-group-name NAME --retention-in-days 14",
            ),
        ),
    ),
    "role": Lesson(
        "Rights of the visitor counter",
        "The counter may write its log and reach its own database, nothing else.",
        (
            Call(
                "iam",
                "CreateRole",
                "makes a role that only Lambda can take.",
                "--role-name NAME --assume-role-policy-document file://trust.json",
            ),
            Call(
                "iam",
                "PutRolePolicy",
                "gives it those two rights.",
                "--role-name NAME --policy-name NAME --policy-document file://rights.json",
            ),
        ),
    ),
    "lambda_function": Lesson(
        "Visitor counter",
        "It counts a visit without cookies and without storing an address.",
        (
            Call(
                "lambda",
                "CreateFunction",
                "makes the function from the program.",
                "--function-name NAME --runtime python3.13 --architectures arm64 --handler "
                "handler.handler --role ROLE --code S3Bucket=ARTIFACTS,S3Key=KEY",
            ),
            Call(
                "lambda",
                "PutFunctionConcurrency",
                "limits how many run at once, which also limits what it can cost.",
                "--function-name NAME --reserved-concurrent-executions 5",
            ),
        ),
    ),
    "counter_schema": Lesson(
        "Tables of the visitor counter",
        "The counter makes its own tables: nothing else reaches the database.",
        (
            Call(
                "lambda",
                "Invoke",
                "asks the function to make its tables.",
                "--function-name NAME --payload file://migrate.json answer.json",
            ),
        ),
    ),
    "function_url": Lesson(
        "Address of the visitor counter",
        "An address that answers signed requests alone, that is your distribution's.",
        (
            Call(
                "lambda",
                "CreateFunctionUrlConfig",
                "gives the function an address.",
                "--function-name NAME --auth-type AWS_IAM",
            ),
        ),
    ),
    "function_permission": Lesson(
        "Permission to count",
        "Only your distribution may call the counter.",
        (
            Call(
                "lambda",
                "AddPermission",
                "lets that one distribution call it.",
                "--function-name FUNCTION --statement-id cloudfront --principal "
                "cloudfront.amazonaws.com --action lambda:InvokeFunctionUrl --source-arn ARN",
            ),
        ),
    ),
}
# Of what was made before and is changed in a later step.
CHANGED = {
    "distribution": Call(
        "cloudfront",
        "UpdateDistribution",
        "connects what has become ready meanwhile: the certificate and your domain, or the "
        "visitor counter.",
        "--id ID --if-match ETAG --distribution-config file://distribution.json",
    ),
}


# Where a stack has several of a type, by logical id: title and reason of this one.
APART = {
    "artifact_bucket": (
        "Storage of the counter's code",
        "Lambda fetches the code of the counters from here.",
    ),
    "function": (
        "Code at the edge: addresses",
        "A small script that looks each address up in the index.",
    ),
    "function.headers": (
        "Code at the edge: headers",
        "A small script that puts your own headers on each answer.",
    ),
    "function_permission.call": (
        "Permission to count: the function",
        "Only your distribution may call the counter.",
    ),
    "function_permission.url": (
        "Permission to count: its address",
        "Only your distribution may use the counter's address.",
    ),
    "origin_access_control.lambda": (
        "Key to the visitor counter",
        "It lets CloudFront sign what it asks of the counters, so that they can stay private.",
    ),
    "origin_access_control.s3": (
        "Key to the storage",
        "It lets CloudFront sign what it asks of the storage, so that it can stay private.",
    ),
    "origin_request_policy": (
        "What the visitor counter is told",
        "It names what the counters are told about a visit, and leaves out the rest.",
    ),
    "origin_request_policy.router": (
        "What the code at the edge is told",
        "It adds the visitor's country, for redirects by country.",
    ),
}
RECORDS = {"A": "IPv4", "AAAA": "IPv6"}


def lesson_of(resource_type: str, action: str = "create", logical_id: str = "") -> Lesson:
    """Raises KeyError for a type that nobody explained."""
    lesson = LESSONS[resource_type]
    title, why = APART.get(logical_id, (lesson.title, lesson.why))
    if resource_type == "alias_record" and logical_id:
        title = f"{title} ({RECORDS[logical_id.split('.')[1]]})"
    if action == "create" or resource_type not in CHANGED:
        return replace(lesson, title=title, why=why)
    return Lesson(title, why, (CHANGED[resource_type],))
