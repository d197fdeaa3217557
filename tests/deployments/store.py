"""A site's KeyValueStore and bucket in memory."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from cloudadmin.aws import ClientError
from tests.fakes import Killed


@dataclass
class Store:
    """``dies`` is the process's end, right after a call. Both clients are the store itself."""

    keys: dict[str, str] = field(default_factory=dict)
    objects: set[str] = field(default_factory=set)
    calls: int = 0
    largest: int = 0
    dies: bool = False

    @property
    def keyvaluestore(self) -> Store:
        return self

    @property
    def s3(self) -> Store:
        return self

    def describe_key_value_store(self, KvsARN: str) -> dict[str, str]:
        return {"ETag": str(self.calls)}

    def update_keys(
        self, KvsARN: str, IfMatch: str, Puts: list[Any], Deletes: list[Any]
    ) -> dict[str, str]:
        gone = {delete["Key"] for delete in Deletes}
        if not gone <= self.keys.keys():
            refusal: Any = {"Error": {"Code": "ResourceNotFoundException", "Message": "no key"}}
            raise ClientError(refusal, "UpdateKeys")
        self.calls += 1
        self.largest = max(self.largest, len(Puts) + len(Deletes))
        self.keys.update({put["Key"]: put["Value"] for put in Puts})
        for key in gone:
            del self.keys[key]
        if self.dies:
            raise Killed
        return {"ETag": str(self.calls)}

    def put_object(self, **_: Any) -> None:
        """The error page has a fixed key, which nothing here asks for."""

    copy_object = put_object

    def delete_objects(self, Bucket: str, Delete: Any) -> dict[str, Any]:
        assert len(Delete["Objects"]) <= 1000
        self.calls += 1
        self.objects -= {each["Key"] for each in Delete["Objects"]}
        if self.dies:
            raise Killed
        return {}

    def heads(self) -> dict[str, Any]:
        """By host: the name of the host that it leads to, or the flags of the release."""
        heads = {
            key.removeprefix("h:"): json.loads(value)
            for key, value in self.keys.items()
            if key.startswith("h:")
        }
        return {host: head.get("to", head.get("f")) for host, head in heads.items()}
