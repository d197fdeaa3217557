"""Policy documents that name a principal, as S3 and IAM look at them before they take one.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from localcloud.reader import Reader

Statement = Mapping[str, Any]
# Whether IAM knows that principal of this account.
Exists = Callable[[str], bool]

VERSIONS = ("2012-10-17", "2008-10-17")
SERVICE = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*\.amazonaws\.com")
ACCOUNT = re.compile(r"\*|\d{12}|arn:aws:(?:iam|sts)::\d{12}:.+")
ENTITY = re.compile(r"arn:aws:iam::000000000000:(role|user)/(?:.+/)?([^/]+)")
OF_OBJECTS = re.compile(r"s3:(\w*Object\w*|AbortMultipartUpload|ListMultipartUploadParts)")


def trust_problem(text: str, exists: Exists) -> str:
    """What IAM says against a role's trust policy; empty for nothing."""
    return next(_trust_problems(text, exists), "")


def bucket_policy_problem(text: str, bucket: str, exists: Exists) -> str:
    """What S3 says against a policy of that bucket; empty for nothing."""
    return next(_bucket_policy_problems(text, bucket, exists), "")


def _trust_problems(text: str, exists: Exists) -> Iterator[str]:
    document = read(text)
    if document is None:
        yield "This policy contains invalid Json"
        return
    yield from _missing(document, "Principal", "Action")
    for statement in statements(document):
        if "Resource" in statement or "NotResource" in statement:
            yield "Has prohibited field Resource"
        if not all(action.startswith(("sts:", "*")) for action in many(statement.get("Action"))):
            yield "AssumeRole policy may only specify STS AssumeRole actions."
        for kind, name in bad_principals(statement, exists):
            yield f'Invalid principal in policy: "{kind}":"{name}"'


def _bucket_policy_problems(text: str, bucket: str, exists: Exists) -> Iterator[str]:
    document = read(text)
    if document is None:
        yield "Policies must be valid JSON and the first byte must be '{'"
        return
    yield from _missing(document, "Principal", "Action", "Resource")
    for statement in statements(document):
        if any(bad_principals(statement, exists)):
            yield "Invalid principal in policy"
        actions = many(statement.get("Action"))
        if not all(action == "*" or action.startswith("s3:") for action in actions):
            yield "Policy has invalid action"
        resources = many(statement.get("Resource"))
        if not all(_is_of(resource, bucket) for resource in resources):
            yield "Policy has invalid resource"
        if resources and not all(_applies(action, resources) for action in actions):
            yield "Action does not apply to any resource(s) in statement"


def read(text: str) -> Mapping[str, Any] | None:
    """The document; None for what is none."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def statements(document: Mapping[str, Any]) -> list[Statement]:
    found = document.get("Statement", [])
    return [each for each in (found if isinstance(found, list) else [found]) if each]


def many(value: Any) -> list[str]:
    """A policy writes one of a thing without a list."""
    if value is None:
        return []
    return [str(each) for each in value] if isinstance(value, list) else [str(value)]


def _missing(document: Mapping[str, Any], *fields: str) -> Iterator[str]:
    if document.get("Version", VERSIONS[0]) not in VERSIONS:
        yield "The policy must contain a valid version string"
    if not statements(document):
        yield "Missing required field Statement"
    for statement in statements(document):
        if not isinstance(statement, dict):
            yield "Statement must be an object"
        for field in fields:
            if field not in statement and f"Not{field}" not in statement:
                yield f"Missing required field {field}"
        if statement.get("Effect") not in ("Allow", "Deny"):
            yield "Missing required field Effect"


def bad_principals(statement: Statement, exists: Exists) -> Iterator[tuple[str, str]]:
    """Kind and name of those that cannot be, or that IAM does not know."""
    principal = statement.get("Principal", {})
    found = principal if isinstance(principal, dict) else {"AWS": principal}
    for kind, names in found.items():
        for name in many(names):
            if not _is_principal(kind, name, exists):
                yield kind, name


def _is_principal(kind: str, name: str, exists: Exists) -> bool:
    match kind:
        case "Service":
            return SERVICE.fullmatch(name) is not None
        case "AWS":
            return ACCOUNT.fullmatch(name) is not None and exists(name)
    return True


def _is_of(resource: str, bucket: str) -> bool:
    arn, _, name = resource.partition(":::")
    return arn == "arn:aws:s3" and fnmatchcase(bucket, name.partition("/")[0])


def _applies(action: str, resources: list[str]) -> bool:
    if "*" in action:
        return True
    of_objects = bool(OF_OBJECTS.fullmatch(action))
    # Without a slash, a star at the end may stand for one.
    return any(
        of_objects == ("/" in each) or (of_objects and each.endswith("*")) for each in resources
    )


class Principals:
    """Asks IAM; blocking."""

    def __init__(self, reader: Reader) -> None:
        self.iam = reader.iam

    def __call__(self, arn: str) -> bool:
        found = ENTITY.fullmatch(arn)
        if found is None:
            return True  # another account's, or a whole one
        try:
            if found[1] == "role":
                self.iam.get_role(RoleName=found[2])
            else:
                self.iam.get_user(UserName=found[2])
        except self.iam.exceptions.NoSuchEntityException:
            return False
        return True
