"""Whether AWS would let us do what the plan needs, by its own simulator."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from cloudadmin.aws import BotoCoreError, ClientError, Clients, error_code
from sites.provisioning.permissions import NAME, Grant, needed
from sites.provisioning.preflight.findings import Finding, listed
from sites.provisioning.preflight.look import Look

ADVICE = "`manage.py iam_policy` prints the policy that it needs, and docs/guide.md says how."


def permissions(look: Look, types: Collection[str], name: str) -> Iterator[Finding]:
    """Asks for what changes to resources of these types need; ``name`` starts the site's own."""
    grants = needed(types)
    try:
        principal = _principal(look.clients) if grants else ""
        missing = {
            action
            for grant in (grants if principal else ())
            for action in _denied(look.clients, grant, principal, name)
        }
    except (ClientError, BotoCoreError) as error:
        yield Finding(
            "permission",
            "permissions",
            f"Whether the permissions suffice could not be asked ({_why(error)}).",
            f"Nothing, when the account's role has the whole policy. {ADVICE}",
        )
        return
    if missing:
        yield Finding(
            "permission",
            principal,
            f"{principal} may not {listed(missing)}.",
            f"Give it these permissions. {ADVICE}",
            blocks=True,
        )


def _principal(clients: Clients) -> str:
    """The role or the user whose policies decide; empty for the root user, whom none binds."""
    if clients.access.role_arn:
        return clients.access.role_arn
    arn = clients.sts.get_caller_identity()["Arn"]
    head, _, who = arn.rpartition(":")
    kind, _, name = who.partition("/")
    match kind:
        case "root":
            return ""
        case "assumed-role":
            return f"{head.replace(':sts:', ':iam:')}:role/{name.partition('/')[0]}"
        case _:
            return arn


def _denied(clients: Clients, grant: Grant, principal: str, name: str) -> set[str]:
    """Actions that are allowed on none of the grant's resources."""
    account_id = principal.split(":")[4]
    pages = clients.iam.get_paginator("simulate_principal_policy").paginate(
        PolicySourceArn=principal,
        ActionNames=[*grant.actions],
        ResourceArns=[_example(arn, name, account_id, clients.region) for arn in grant.resources],
        ContextEntries=_context(grant, name, account_id, clients.region),
    )
    results = [result for page in pages for result in page["EvaluationResults"]]
    allowed = {each["EvalActionName"] for each in results if each["EvalDecision"] == "allowed"}
    return {each["EvalActionName"] for each in results} - allowed


def _example(arn: str, name: str, account_id: str, region: str) -> str:
    """One thing that the pattern stands for."""
    parts = arn.replace(NAME, f"{name}-0").split(":", 5)
    if len(parts) == 6:
        parts[3] = parts[3].replace("*", region)
        parts[4] = parts[4].replace("*", account_id)
        parts[5] = parts[5].replace("*", "0")
    return ":".join(parts)


def _context(grant: Grant, name: str, account_id: str, region: str) -> list[Any]:
    return [
        {
            "ContextKeyName": key,
            "ContextKeyType": "string" if isinstance(value, str) else "stringList",
            "ContextKeyValues": [
                _example(each, name, account_id, region)
                for each in ([value] if isinstance(value, str) else value)
            ],
        }
        for comparison in grant.condition.values()
        for key, value in comparison.items()
    ]


def _why(error: Exception) -> str:
    if isinstance(error, ClientError):
        return f"AWS answered {error_code(error)} to {error.operation_name}"
    return str(error).rstrip(".")
