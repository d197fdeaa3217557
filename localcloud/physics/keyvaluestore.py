"""The KeyValueStore's data plane: quotas, and what is written reaches the edge as it was written.

A store of thousands of keys is not listed again at each change: the change itself travels.
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cloudfront-limits.html#limits-keyvaluestores
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass

from botocore.exceptions import ClientError

from localcloud.edge.pop import Pop
from localcloud.physics import Forward
from localcloud.propagation import Propagation, Subject
from localcloud.wire import Answer, Call, json_error

KEYS = re.compile(r"/key-value-stores/(arn:.+?/[a-zA-Z0-9_-]+)/keys(?:/(.+))?", re.DOTALL)

# In UTF-8 bytes.
KEY_BYTES = 512
VALUE_BYTES = 1024
STORE_BYTES = 5 * 1024 * 1024
UPDATE_KEYS = 50
UPDATE_BYTES = 3 * 1024 * 1024


@dataclass(frozen=True)
class Update:
    """What a call writes."""

    puts: Mapping[str, str]
    deletes: tuple[str, ...] = ()

    @classmethod
    def read(cls, call: Call, key: str | None) -> Update:
        match call.method:
            case "PUT":
                return cls({str(key): str(call.document.get("Value", ""))})
            case "DELETE":
                return cls({}, (str(key),))
        puts = call.document.get("Puts") or []
        deletes = call.document.get("Deletes") or []
        return cls(
            {str(item.get("Key")): str(item.get("Value")) for item in puts},
            tuple(str(item.get("Key")) for item in deletes),
        )

    def problem(self) -> str:
        """What is wrong with it, whatever is in the store; empty for nothing."""
        if len(self.puts) + len(self.deletes) > UPDATE_KEYS:
            return f"A request can change {UPDATE_KEYS} keys at most."
        if size(self.puts) > UPDATE_BYTES:
            return "A request can have 3 MB at most."
        for key in (*self.puts, *self.deletes):
            if not 0 < len(key.encode()) <= KEY_BYTES:
                return f"A key has 1 to {KEY_BYTES} bytes: {key[:40]}"
        for key, value in self.puts.items():
            if len(value.encode()) > VALUE_BYTES:
                return f"A value has {VALUE_BYTES} bytes at most: that of {key[:40]}"
        return ""


def size(items: Mapping[str, str]) -> int:
    """As ``TotalSizeInBytes`` counts."""
    return sum(len(key.encode()) + len(value.encode()) for key, value in items.items())


class KeyValueStore:
    def __init__(self, propagation: Propagation) -> None:
        self.propagation = propagation
        self.reader = propagation.reader
        self._sizes: dict[str, int] = {}  # as of the last answer of each store

    async def __call__(self, call: Call, forward: Forward) -> Answer:
        found = KEYS.fullmatch(call.decoded_path)
        if call.method == "GET" or found is None:
            return await forward(call)
        arn, update = found[1], Update.read(call, found[2])
        if problem := update.problem():
            return json_error("ValidationException", problem)
        if await self._is_too_much(arn, update):
            return json_error("ServiceQuotaExceededException", "A store has 5 MB at most.", 402)
        answer = await forward(call)
        if answer.ok:
            self._sizes[arn] = answer.document["TotalSizeInBytes"]
            self._publish(arn, update)
        return answer

    async def _is_too_much(self, arn: str, update: Update) -> bool:
        if arn not in self._sizes:
            self._sizes[arn] = await asyncio.to_thread(self._size, arn)
        if self._sizes[arn] + size(update.puts) <= STORE_BYTES:
            return False  # even when nothing is replaced or deleted
        now = await asyncio.to_thread(self.reader.read, "store", arn)
        kept = {key: value for key, value in (now or {}).items() if key not in update.deletes}
        return size({**kept, **update.puts}) > STORE_BYTES

    def _size(self, arn: str) -> int:
        try:
            store = self.reader.keyvaluestore.describe_key_value_store(KvsARN=arn)
        except ClientError:
            return 0  # MiniStack says what is wrong
        return int(store["TotalSizeInBytes"])

    def _publish(self, arn: str, update: Update) -> None:
        def change(pop: Pop) -> None:
            pop.update_store(arn, update.puts, update.deletes)

        self.propagation.publish(change, Subject("store", arn))
