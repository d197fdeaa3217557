"""Comparing what we ask of AWS with what AWS describes.

AWS answers with more than it was told (defaults, empty lists, its own order), so an answer is
brought into the shape of the question first.
"""

from __future__ import annotations

from typing import Any

# Lists of AWS that are sets, by the field that tells their members apart. The order of
# CacheBehaviors has a meaning and is kept.
SET_KEYS = ("Id", "ErrorCode", "EventType")


def project(desired: Any, actual: Any) -> Any:
    """``actual`` reduced to what ``desired`` speaks of, in the order of :func:`ordered`."""
    if isinstance(desired, dict) and isinstance(actual, dict):
        return {key: project(value, actual.get(key)) for key, value in desired.items()}
    if isinstance(desired, list) and isinstance(actual, list):
        wanted, given = ordered(desired), ordered(actual)
        if len(wanted) == len(given):
            return [project(*pair) for pair in zip(wanted, given, strict=True)]
        return given
    if desired in ("", [], {}) and actual is None:
        return desired
    return actual


def ordered(value: Any) -> Any:
    """The same document with every list that is a set in one order, and tuples as lists."""
    if isinstance(value, dict):
        return {key: ordered(item) for key, item in value.items()}
    if not isinstance(value, list | tuple):
        return value
    items = [ordered(item) for item in value]
    if all(isinstance(item, str) for item in items):
        return sorted(items)
    for key in SET_KEYS:
        if all(isinstance(item, dict) and key in item for item in items):
            return sorted(items, key=lambda item: str(item[key]))
    return items


def overlay(actual: Any, desired: Any) -> Any:
    """``actual`` with every value that ``desired`` speaks of; what others set stays."""
    if isinstance(desired, dict) and isinstance(actual, dict):
        return actual | {key: overlay(actual.get(key), value) for key, value in desired.items()}
    return desired


def placed(values: dict[str, Any]) -> dict[str, Any]:
    """The document that has each value at its path, as :func:`differences` names them."""
    document: dict[str, Any] = {}
    for path, value in values.items():
        *parents, name = path.split(".")
        inner = document
        for parent in parents:
            inner = inner.setdefault(parent, {})
        inner[name] = value
    return document


def at(document: Any, path: str) -> Any:
    """The value at a path; None where there is none."""
    for name in path.split("."):
        document = document.get(name) if isinstance(document, dict) else None
    return document


def put(values: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """The same values by path with one more, which replaces what it contains and joins what
    contains it."""
    for outer, known in values.items():
        if path.startswith(f"{outer}.") and isinstance(known, dict):
            inner = path.removeprefix(f"{outer}.")
            return values | {outer: overlay(known, placed({inner: value}))}
    apart = {
        other: known
        for other, known in values.items()
        if not other.startswith(f"{path}.") and not path.startswith(f"{other}.")
    }
    return apart | {path: value}


def present(value: Any) -> Any:
    """The document without what is None: how AWS is told that something is not set."""
    if isinstance(value, dict):
        return {key: present(item) for key, item in value.items() if item is not None}
    return [present(item) for item in value] if isinstance(value, list | tuple) else value


def differences(desired: Any, actual: Any, path: str = "") -> dict[str, tuple[Any, Any]]:
    """The leaves that differ, as ``{path: (actual, desired)}``."""
    if isinstance(desired, dict) and isinstance(actual, dict):
        return {
            name: pair
            for key, value in desired.items()
            for name, pair in differences(
                value, actual.get(key), f"{path}.{key}" if path else key
            ).items()
        }
    return {} if desired == actual else {path: (actual, desired)}
