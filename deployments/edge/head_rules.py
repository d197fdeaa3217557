"""The rules that heads refer to: redirects of releases, passwords of the site.

Each set is kept beside the heads, in ``EdgeIndex.heads``, under the beginning of its keys in the
KeyValueStore, which no host name can be: ``q:<name>`` with the releases that it belongs to, and
``p:<name>`` with whether heads name it, and until when it stays once they do not. Passwords settle
before heads name them: a point of presence that has the head first could not tell who may come in,
and would let in nobody. Until then those before them are asked for. The caller has the row's lock,
and saves it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.utils import timezone

from deployments.edge import edge_rules

if TYPE_CHECKING:
    from deployments.edge.edge_rules import RuleSet
    from deployments.models import EdgeIndex
    from deployments.rule_files.redirects import Redirect

# A point of presence may have the head before for a while, and what that needs stays as long.
KEPT = timedelta(hours=1)
# The flag of a head that keeps search engines away.
PREVIEW = "x"


def hosts(row: EdgeIndex) -> dict[str, str]:
    """The heads alone: host -> value."""
    return {name: value for name, value in row.heads.items() if ":" not in name}


def release_of(value: str) -> int | None:
    """The release that a head serves; None for one that redirects."""
    release = json.loads(value).get("r")
    return None if release is None else int(release, 36)


def is_preview(value: str) -> bool:
    return PREVIEW in json.loads(value).get("f", "")


def use_redirects(row: EdgeIndex, release: int, redirects: Iterable[Redirect]) -> None:
    """Of a release that is prepared. Raises RulesRefused."""
    found = edge_rules.rules(redirects)
    for name, kept in _sets(row, "q:"):
        if name != f"q:{found.name}":
            kept["releases"] = [number for number in kept["releases"] if number != release]
    if found.head:
        kept = row.heads.setdefault(f"q:{found.name}", {**_unwritten(found), "releases": []})
        kept["releases"] = sorted({*kept["releases"], release})


def use_protection(row: EdgeIndex, found: RuleSet) -> None:
    """Of the heads that are about to be written: it, once it has settled."""
    name = f"p:{found.name}"
    if found.head:
        row.heads.setdefault(name, {**_unwritten(found), "is_named": False})["until"] = None
    is_next = not found.head or _settles_in(row.heads[name]) == 0.0
    for other, kept in _sets(row, "p:"):
        if is_next:
            kept["is_named"] = bool(found.head) and other == name
        if other != name and not kept["is_named"] and kept["until"] is None:
            kept["until"] = (timezone.now() + KEPT).isoformat()


def protection_of(row: EdgeIndex, found: RuleSet) -> str:
    """What heads say of the passwords, as long as there are any; empty for none."""
    heads = (kept["head"] for _, kept in _sets(row, "p:") if kept["is_named"])
    return next(heads, "") if found.head else ""


def protection_settles_in(row: EdgeIndex, found: RuleSet) -> float | None:
    """Seconds until heads may name what they do not name yet; None when they do."""
    kept = row.heads.get(f"p:{found.name}")
    if not found.head or (kept and kept["is_named"]):
        return None
    return _settles_in(kept) if kept else 0.0


def redirects_of(row: EdgeIndex, release: int) -> str:
    """What the head of a release says of its redirects; empty for none."""
    heads = (kept["head"] for _, kept in _sets(row, "q:") if release in kept["releases"])
    return next(heads, "")


def unwritten(row: EdgeIndex) -> dict[str, str]:
    """Key -> value of what the store may not have."""
    puts: dict[str, str] = {}
    for _, kept in _sets(row):
        if not kept["is_written"] and _is_needed(row, kept):
            puts |= kept["puts"]
    return puts


def stale(row: EdgeIndex) -> frozenset[str]:
    """Keys that no head refers to any more."""
    needed: set[str] = set()
    others: set[str] = set()
    for _, kept in _sets(row):
        (needed if _is_needed(row, kept) else others).update(kept["puts"])
    return frozenset(others - needed)


def were_written(row: EdgeIndex, puts: Mapping[str, str], gone: frozenset[str]) -> None:
    """What was deleted and is needed again meanwhile is to be written anew."""
    for name, kept in _sets(row):
        keys = kept["puts"].keys()
        if keys <= puts.keys():
            kept |= {"is_written": True, "written_at": timezone.now().isoformat()}
        if not _is_needed(row, kept):
            del row.heads[name]
        elif keys & gone:
            kept["is_written"] = False


def _sets(row: EdgeIndex, kind: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    kinds = (kind,) if kind else ("q:", "p:")
    yield from [(name, kept) for name, kept in row.heads.items() if name.startswith(kinds)]


def _unwritten(found: RuleSet) -> dict[str, Any]:
    return {"head": found.head, "puts": dict(found.puts), "is_written": False}


def _is_needed(row: EdgeIndex, kept: Mapping[str, Any]) -> bool:
    if "releases" in kept:
        return not set(row.reachable).isdisjoint(kept["releases"])
    return kept["until"] is None or timezone.now() < datetime.fromisoformat(kept["until"])


def _settles_in(kept: Mapping[str, Any]) -> float:
    """Seconds; as long as it takes, should it not be written yet."""
    seconds: float = settings.CLOUDADMIN_SETTLE_SECONDS
    if not kept["is_written"]:
        return max(seconds, 0.001)
    since = timezone.now() - datetime.fromisoformat(kept["written_at"])
    return max(0.0, seconds - since.total_seconds())
