"""Whether a resource policy lets CloudFront in: the part of IAM that an origin needs.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

SERVICE = "cloudfront.amazonaws.com"

Document = Mapping[str, Any]


def allows(
    policy: Document, action: str, resource: str, context: Mapping[str, str], *, service: str
) -> bool:
    """At least one Allow and no Deny. ``service``: the calling service, or ``*`` for anybody.

    ``context`` holds condition keys such as ``AWS:SourceArn``; their names are case-insensitive.
    """
    known = {key.lower(): value for key, value in context.items()}
    effects = {
        statement.get("Effect")
        for statement in _listed(policy.get("Statement"))
        if _applies(statement, action, resource, known, service)
    }
    return "Allow" in effects and "Deny" not in effects


def _applies(
    statement: Document, action: str, resource: str, context: Mapping[str, str], service: str
) -> bool:
    return (
        _principal(statement.get("Principal"), service)
        and _any_like(statement.get("Action"), action, fold=True)
        and _any_like(statement.get("Resource"), resource)
        and _conditions(statement.get("Condition") or {}, context)
    )


def _principal(principal: Any, service: str) -> bool:
    if principal == "*":
        return True
    if not isinstance(principal, Mapping):
        return False
    services = _listed(principal.get("Service"))
    return service in services or "*" in (*services, *_listed(principal.get("AWS")))


def _conditions(block: Document, context: Mapping[str, str]) -> bool:
    """Every operator, every key; one value of each is enough."""
    return all(
        _condition(operator, context.get(key.lower()), _listed(values))
        for operator, wanted in block.items()
        for key, values in wanted.items()
    )


def _condition(operator: str, actual: str | None, values: Iterable[Any]) -> bool:
    if_exists = operator.endswith("IfExists")
    test = OPERATORS.get(operator.removesuffix("IfExists"))
    if actual is None:
        return if_exists or operator.startswith("StringNot")
    # An operator that we do not know never holds: no access by accident.
    return test is not None and test(actual, [_text(value) for value in values])


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def like(pattern: str, value: str) -> bool:
    words = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(words, value, re.DOTALL) is not None


def _any_like(patterns: Any, value: str, *, fold: bool = False) -> bool:
    if fold:
        return any(like(p.lower(), value.lower()) for p in _listed(patterns))
    return any(like(p, value) for p in _listed(patterns))


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


OPERATORS: Mapping[str, Callable[[str, list[str]], bool]] = {
    "StringEquals": lambda actual, values: actual in values,
    "StringNotEquals": lambda actual, values: actual not in values,
    "StringLike": lambda actual, values: any(like(v, actual) for v in values),
    "StringNotLike": lambda actual, values: not any(like(v, actual) for v in values),
    "ArnEquals": lambda actual, values: any(like(v, actual) for v in values),
    "ArnLike": lambda actual, values: any(like(v, actual) for v in values),
    "Bool": lambda actual, values: actual.lower() in [v.lower() for v in values],
}
