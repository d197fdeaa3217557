"""What a site's deployments need of AWS, in memory; and an end of the process at any moment."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.db import connection
from obstore.store import MemoryStore

from cloudadmin.aws import ClientError
from deployments import operations
from deployments.edge import edge_index
from deployments.edge.verification import Expected, Mismatch
from deployments.files.injection import inject
from deployments.manifest import Entry, object_key
from deployments.models import Deployment
from deployments.publish import manifest_of
from deployments.target import Target, target_of
from deployments.upload import Uploaded
from sites.models import Site
from tests.fakes import Killed


@dataclass
class World:
    """A KeyValueStore, a bucket and an edge. ``at`` is called after each change."""

    keys: dict[str, str] = field(default_factory=dict)
    objects: MemoryStore = field(default_factory=MemoryStore)
    error_page: str = ""
    flips: int = 0
    writes: int = 0
    is_broken: bool = False
    at: Callable[[], None] = lambda: None

    # --- as Clients ---

    @property
    def keyvaluestore(self) -> World:
        return self

    @property
    def s3(self) -> World:
        return self

    def object_store(self, bucket_name: str) -> MemoryStore:
        return self.objects

    bucket_address = object_store

    def upload(
        self,
        bucket: MemoryStore,
        root: Path,
        entries: Mapping[str, Entry],
        *,
        injects: bool = False,
        on_progress: Callable[[int, int], None] = lambda files, size: None,
    ) -> Uploaded:
        """``upload.upload``, into this bucket."""
        for path, entry in entries.items():
            content = (root / path).read_bytes()
            bucket.put(object_key(path, entry), inject(content) if injects else content)
        sent = len(entries), sum(entry.size for entry in entries.values())
        on_progress(*sent)
        return Uploaded(*sent)

    def describe_key_value_store(self, KvsARN: str) -> dict[str, str]:
        return {"ETag": str(self.writes)}

    def update_keys(
        self, KvsARN: str, IfMatch: str, Puts: list[Any], Deletes: list[Any]
    ) -> dict[str, str]:
        if IfMatch != str(self.writes):
            refusal: Any = {"Error": {"Code": "ConflictException", "Message": "moved"}}
            raise ClientError(refusal, "UpdateKeys")
        gone = {delete["Key"] for delete in Deletes}
        if not gone <= self.keys.keys():
            missing: Any = {"Error": {"Code": "ResourceNotFoundException", "Message": "no key"}}
            raise ClientError(missing, "UpdateKeys")
        self.writes += 1
        self.flips += any(put["Key"].startswith("h:") for put in Puts)
        self.keys |= {put["Key"]: put["Value"] for put in Puts}
        self.keys = {key: value for key, value in self.keys.items() if key not in gone}
        self.at()
        return {"ETag": str(self.writes)}

    def put_object(self, **arguments: Any) -> None:
        self.error_page = ""
        self.at()

    def copy_object(self, **arguments: Any) -> None:
        self.error_page = arguments["CopySource"]["Key"]
        self.at()

    # --- as the edge ---

    def answer(self, host: str, path: str) -> str | None:
        """The object hash that the router finds."""
        head = json.loads(self.keys.get(f"h:{host}", "null"))
        if head is None:
            return None
        values = {
            edge_index.parse_bucket_key(key): value
            for key, value in self.keys.items()
            if key[0] not in "hpq"
        }
        index = edge_index.Index(
            head["g"],
            head["n"],
            {number: value for (g, number), value in values.items() if g == head["g"]},
        )
        return edge_index.answer(index, edge_index.digest(path), int(head["r"], 36))

    def check(self, target: Target, wanted: Expected, host: str = "") -> Mismatch | None:
        """``verification.check``, asking this edge."""
        self.at()
        if self.is_broken:
            return Mismatch("index.html", "the edge answered 500")
        for path, entry in wanted.files.items():
            found = self.answer(host or target.hosts[0], path)
            if found != entry.hash:
                return Mismatch(path, f"the edge answered {found}")
            self.objects.head(object_key(path, entry))
        for path in wanted.gone:
            if self.answer(host or target.hosts[0], path) is not None:
                return Mismatch(path, "it was deleted, and the edge answered 200")
        return None


@dataclass
class Clock:
    """Counts moments and ends the process at one of them."""

    end: int = 0
    moments: int = 0

    def tick(self) -> None:
        self.moments += 1
        if self.moments == self.end:
            raise Killed


@contextmanager
def killed_at(world: World, moment: int) -> Iterator[Clock]:
    """A moment is after each change at AWS and each write to the database."""
    clock = Clock(moment)

    def around(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if not sql.startswith(("INSERT", "UPDATE", "DELETE")):
            return execute(sql, params, many, context)
        result = execute(sql, params, many, context)
        clock.tick()
        return result

    world.at = clock.tick
    try:
        with connection.execute_wrapper(around):
            yield clock
    finally:
        world.at = lambda: None


def finish(deployment: Deployment) -> None:
    """All the steps that are left, without a pause."""
    operations.finish(deployment, lambda seconds: None)


FILES = ("index.html", "a.html", "b.html")


def served(site: Site, world: World) -> dict[str, str | None]:
    """The object hash of each file, as the edge answers."""
    host = target_of(site).hosts[0]
    return {path: world.answer(host, path) for path in FILES}


def wanted(deployment: Deployment) -> dict[str, str | None]:
    """The same, as it was deployed."""
    entries = manifest_of(deployment).entries
    return {path: entries[path].hash if path in entries else None for path in FILES}
