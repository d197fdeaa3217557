"""The KeyValueStore's data plane: what is written reaches the edge as it was written.

A store of thousands of keys is not listed again at each change: the change itself travels.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from localcloud.edge.pop import Pop
from localcloud.physics import Forward
from localcloud.propagation import Propagation, Subject
from localcloud.wire import Answer, Call

KEYS = re.compile(r"/key-value-stores/(arn:.+?/[a-zA-Z0-9_-]+)/keys(?:/(.+))?")


class KeyValueStore:
    def __init__(self, propagation: Propagation) -> None:
        self.propagation = propagation

    async def __call__(self, call: Call, forward: Forward) -> Answer:
        answer = await forward(call)
        found = KEYS.fullmatch(call.decoded_path)
        if answer.ok and found and call.method != "GET":
            self._publish(found[1], *_change(call, found[2]))
        return answer

    def _publish(self, arn: str, puts: Mapping[str, str], deletes: Iterable[str]) -> None:
        def change(pop: Pop) -> None:
            pop.update_store(arn, puts, deletes)

        self.propagation.publish(change, Subject("store", arn))


def _change(call: Call, key: str | None) -> tuple[dict[str, str], list[str]]:
    match call.method:
        case "PUT":
            return {str(key): call.document["Value"]}, []
        case "DELETE":
            return {}, [str(key)]
    puts = {item["Key"]: item["Value"] for item in call.document.get("Puts") or []}
    return puts, [item["Key"] for item in call.document.get("Deletes") or []]
