"""Changed files as a tree: the first rows at once, folders as they are opened, and a search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from deployments import publish
from deployments.changes import Change, Changes, Folder, between
from deployments.manifest import Manifest
from deployments.models import Deployment

# Rows of a folder, or of a search, that are shown at once; changes that need no opening at all,
# and how deep.
ROWS, OPEN, DEEPEST = 200, 100, 12
NUMBER = 10**9


@dataclass(frozen=True)
class Row:
    """``rows`` of a folder are None until it is opened; ``name`` is what its line says."""

    change: Change | Folder
    name: str
    rows: Sequence[Row] | None = None

    @property
    def is_folder(self) -> bool:
        return isinstance(self.change, Folder)


def of_deployment(request: HttpRequest, row: Deployment) -> HttpResponse:
    """The whole part; with ``folder``, ``q`` or ``start`` the rows that these ask for. ``from`` is
    the number of the deployment to compare with, else the one that was published before."""
    asked = request.GET
    before = _before(row, asked.get("from", ""))
    changes = compared(before, row)
    words, folder = asked.get("q", "").strip(), asked.get("folder", "")
    start = int(asked["start"]) if _is_number(asked.get("start", "")) else 0
    rows, total = _rows(changes, folder, words, start)
    context = {
        "deployment": row,
        "before": before,
        "since": asked.get("from", "") and before,
        "changes": changes,
        "is_kept": bool(row.files) and is_kept(row) and (before is None or is_kept(before)),
        "rows": rows,
        "left": max(0, total - start - len(rows)),
        "next": start + len(rows),
        "words": words,
        "folder": folder,
    }
    is_part = asked.keys() & {"folder", "q", "start"}
    name = "change_rows" if is_part else "changes"
    return render(request, f"deployments/{name}.html", context)


def is_kept(row: Deployment) -> bool:
    return row.objects_deleted_at is None


def compared(before: Deployment | None, row: Deployment) -> Changes:
    """What visitors get otherwise with ``row`` than with ``before``; both without their manifest,
    which is read once."""
    return _compared(_key(before) if before else None, _key(row))


Key = tuple[int, int, datetime | None]


def _key(row: Deployment) -> Key:
    return row.pk, row.files, row.objects_deleted_at


@lru_cache(maxsize=2)
def _compared(before: Key | None, after: Key) -> Changes:
    """One of 100,000 files takes a second; the folders that are opened next take none."""
    return between(_manifest(before), _manifest(after))


def _manifest(key: Key | None) -> Manifest:
    row = Deployment.objects.only("manifest").filter(pk=key[0]).first() if key else None
    return publish.manifest_of(row) if row else Manifest({})


def _before(row: Deployment, number: str) -> Deployment | None:
    others = row.site.deployments.defer("manifest")
    if _is_number(number):
        return get_object_or_404(others, number=int(number)) if int(number) else None
    published = others.filter(published_at__isnull=False, number__lt=row.number)
    found: Deployment | None = published.filter(objects_deleted_at__isnull=True).first()
    return found


def _rows(changes: Changes, folder: str, words: str, start: int) -> tuple[list[Row], int]:
    if words:
        found = changes.search(words)
        return [Row(each, each.path) for each in found[start : start + ROWS]], len(found)
    is_open = len(changes.files) <= OPEN
    level = changes.level(folder)
    shown = level[start : start + ROWS]
    return [_row(changes, folder, each, DEEPEST if is_open else 0) for each in shown], len(level)


def _row(changes: Changes, folder: str, each: Change | Folder, deeper: int) -> Row:
    if isinstance(each, Change):
        return Row(each, each.path[len(folder) :])
    if not deeper:
        return Row(each, each.name)
    inside = changes.level(each.path)
    return Row(each, each.name, [_row(changes, each.path, one, deeper - 1) for one in inside])


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and int(text) < NUMBER
