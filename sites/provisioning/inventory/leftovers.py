"""Things that no stack describes: which of them goes before which."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial

from sites.provisioning.resources import Certificate
from sites.provisioning.resources.base import Resource
from sites.provisioning.steps import Stack, States, Step

# Type -> the types that it is made of; those go after it, or AWS says that they are in use.
MADE_OF: Mapping[str, frozenset[str]] = {
    "alias_record": frozenset({"distribution"}),
    "db_instance": frozenset({"db_subnet_group", "security_group"}),
    "distribution": frozenset(
        {
            "bucket",
            "cache_policy",
            "certificate",
            "function",
            "lambda_function",
            "origin_access_control",
            "origin_request_policy",
            "response_headers_policy",
        }
    ),
    "function": frozenset({"key_value_store"}),
    "lambda_function": frozenset({"bucket", "db_instance", "log_group", "role", "security_group"}),
    "role": frozenset({"permission_boundary"}),
    "validation_record": frozenset({"certificate"}),
}


def identity(resource: Resource) -> tuple[str, str]:
    """What tells it from others of its owner: the same for what is wanted and for what is found."""
    # ACM has an order of its own for the domains that a certificate is known by.
    name = resource.name if isinstance(resource, Certificate) else resource.label
    return resource.type, name


def stack_of(leftovers: Mapping[str, Resource]) -> Stack:
    """By any ids: a stack that destroys them in an order that AWS allows."""
    return Stack(
        tuple(
            Step(name, partial(_build, resource, _parts(resource, leftovers)))
            for name, resource in leftovers.items()
        ),
        {},
    )


def _parts(resource: Resource, leftovers: Mapping[str, Resource]) -> tuple[str, ...]:
    made_of = MADE_OF.get(resource.type, frozenset())
    return tuple(name for name, other in leftovers.items() if other.type in made_of)


def _build(resource: Resource, parts: Iterable[str], states: States) -> Resource:
    for part in parts:
        _ = states[part]
    return resource
