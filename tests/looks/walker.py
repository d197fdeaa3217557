"""Every address of the project that can be looked at, from its URLconf and a row for each name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.urls import NoReverseMatch, URLPattern, get_resolver, reverse

from tests.looks.rows import Rows

# What a parameter stands for where the address's name does not tell of which model it is.
VALUES = {"name": "pages", "ending": "csv", "slug": "pages", "kind": "pages"}
SITES = ("sites_site_", "deployments_invalidation_site")

# Of the way in, which leads on whoever is in already.
UNKNOWN = (
    *("account_login", "account_inactive", "account_reset_password", "account_reset_password_done"),
    *("account_reset_password_from_key", "account_reset_password_from_key_done"),
)


def is_shown(name: str, *, is_known: bool) -> bool:
    """Whether the page is looked at as somebody who is logged in, or as nobody."""
    return is_known != (name in UNKNOWN) and not name.endswith("logout")


def addresses(rows: Rows) -> tuple[dict[str, str], list[str]]:
    """``{name: path}`` of each named address outside the API, the names with their namespace; and
    the names of those for which there is no row, or a parameter that VALUES does not know."""
    found, unknown = {}, []
    for namespace, pattern, wanted in patterns(get_resolver().url_patterns):
        if not pattern.name or namespace.startswith("api"):
            continue
        name = f"{namespace}{pattern.name}"
        try:
            found[name] = path_of(name, wanted, rows)
        except (LookupError, NoReverseMatch):
            unknown.append(name)
    return found, unknown


def path_of(name: str, wanted: tuple[str, ...], rows: Rows) -> str:
    """The path, with what follows its question mark. Raises LookupError, NoReverseMatch."""
    own = name.rpartition(":")[2]
    path = reverse(name, kwargs={each: _value(each, own, rows) for each in wanted})
    return f"{path}?{rows.queries[own]}" if own in rows.queries else path


def patterns(
    found: list[Any], namespace: str = "", above: tuple[str, ...] = ()
) -> Iterator[tuple[str, URLPattern, tuple[str, ...]]]:
    """Each with its namespace and the parameters of its whole path."""
    for each in found:
        wanted = (*above, *each.pattern.regex.groupindex)
        if isinstance(each, URLPattern):
            yield namespace, each, wanted
        else:
            inner = f"{each.namespace}:" if each.namespace else ""
            yield from patterns(each.url_patterns, namespace + inner, wanted)


def _value(parameter: str, name: str, rows: Rows) -> Any:
    if name in rows.values and parameter in rows.values[name]:
        return rows.values[name][parameter]
    if parameter in ("pk", "object_id", "id"):
        return _row_of(_model_of(name), rows).pk
    return VALUES[parameter]


def _row_of(label: str, rows: Rows) -> Any:
    """The row that stands for the model, or any one there is."""
    row = rows.of.get(label) or apps.get_model(label)._default_manager.first()
    if row is None:
        raise LookupError(label)
    return row


def _model_of(name: str) -> str:
    """The longest ``app_model`` that the name begins with, as in ``sites_site_change``."""
    if name.startswith(SITES):
        return "sites.site"
    labels = [model._meta.label_lower for model in apps.get_models()]
    found = [each for each in labels if name.startswith(each.replace(".", "_"))]
    if not found:
        raise LookupError(name)
    return max(found, key=len)
