"""What uploads that never ended have sent: only the missing is sent again, and nothing is listed.

A killed upload leaves its manifest and, because objects are sent in the order of the manifest, a
beginning of it in the bucket. Objects are named after their content, so one that is there is right.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import BaseError

from deployments.manifest import Entry, Manifest, object_key
from deployments.models import Deployment

if TYPE_CHECKING:
    from obstore.store import S3Store

UPLOADS_LOOKED_AT = 3
ASKED_AT_ONCE = 128
MAX_ASKED = 20_000


def candidates(deployment: Deployment, missing: Mapping[str, Entry]) -> list[str]:
    """Paths of ``missing`` that an upload which did not end may have sent, in their order.

    Whoever was killed a moment ago still looks alive, and whoever is alive may have sent as much:
    both count. Of the deployment itself what counts is an earlier attempt.
    """
    unended = Deployment.objects.filter(
        site=deployment.site_id, phase=Deployment.Phase.UPLOAD, pruned_at__isnull=True
    ).exclude(manifest=b"")
    if not deployment.attempts:
        unended = unended.exclude(pk=deployment.pk)
    keys: set[str] = set()
    for row in unended.order_by("-number").only("manifest")[:UPLOADS_LOOKED_AT]:
        keys |= Manifest.from_bytes(bytes(row.manifest)).object_keys()
    found = (path for path, entry in missing.items() if object_key(path, entry) in keys)
    return list(islice(found, MAX_ASKED))


def present(store: S3Store, entries: Mapping[str, Entry], paths: list[str]) -> set[str]:
    """Which of ``paths`` the bucket has: asked until a whole batch is not there."""
    return asyncio.run(_present(store, entries, paths))


async def _present(store: S3Store, entries: Mapping[str, Entry], paths: list[str]) -> set[str]:
    async def is_there(path: str) -> bool:
        try:
            found = await obstore.head_async(store, object_key(path, entries[path]))
        except (FileNotFoundError, BaseError):  # no answer, too, only means to send it
            return False
        return found["size"] == entries[path].size

    there: set[str] = set()
    for start in range(0, len(paths), ASKED_AT_ONCE):
        batch = paths[start : start + ASKED_AT_ONCE]
        answers = await asyncio.gather(*map(is_there, batch))
        if not any(answers):
            break
        there.update(path for path, answer in zip(batch, answers, strict=True) if answer)
    return there
