"""A function's code in the artifact bucket, named by its content.

It is the only object under its prefix: an update writes the new one, then removes the old.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sites.provisioning.resources.base import NOT_RECORDED, Resource, State

if TYPE_CHECKING:
    from cloudadmin.aws import Clients


@dataclass(frozen=True)
class Artifact(Resource):
    """``sha256`` is the hex digest of the file at ``path``; ``prefix`` ends with a slash."""

    type = "artifact"
    not_found = frozenset({"NoSuchBucket"})
    bucket_name: str
    prefix: str
    sha256: str
    path: Path | None = field(default=None, metadata=NOT_RECORDED)

    @property
    def label(self) -> str:
        return self.key

    @property
    def key(self) -> str:
        return f"{self.prefix}{self.sha256}.zip"

    def desired(self) -> dict[str, Any]:
        return {"Keys": [self.key]}

    def _read(self, clients: Clients, known_id: str) -> State | None:
        page = clients.s3.list_objects_v2(Bucket=self.bucket_name, Prefix=self.prefix)
        keys = [item["Key"] for item in page.get("Contents", [])]
        if not keys:
            return None
        return State(
            f"{self.bucket_name}/{self.prefix}",
            {"Keys": keys},
            {
                "bucket_name": self.bucket_name,
                "key": self.key,
                # Lambda's way of writing the digest, so that one can be compared with the other.
                "code_sha256": b64encode(bytes.fromhex(self.sha256)).decode(),
            },
        )

    def _create(self, clients: Clients) -> str:
        if self.path is None:
            raise FileNotFoundError(f"the package {self.sha256} was recorded without its file")
        clients.s3.put_object(Bucket=self.bucket_name, Key=self.key, Body=self.path.read_bytes())
        return f"{self.bucket_name}/{self.prefix}"

    def _update(self, clients: Clients, current: State) -> None:
        self._create(clients)
        for key in current.properties["Keys"]:
            if key != self.key:
                clients.s3.delete_object(Bucket=self.bucket_name, Key=key)

    def _delete(self, clients: Clients, current: State) -> None:
        for key in current.properties["Keys"]:
            clients.s3.delete_object(Bucket=self.bucket_name, Key=key)
