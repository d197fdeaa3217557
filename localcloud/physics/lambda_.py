"""Lambda: the edge hears of function URLs and of who may call them; a role must be old enough.

https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
"""

from __future__ import annotations

import re

from localcloud.durations import Clock
from localcloud.physics import Forward
from localcloud.propagation import Propagation
from localcloud.wire import Answer, Call, json_error

FUNCTION = re.compile(r"/20\d\d-\d\d-\d\d/functions/([^/]+)(?:/(?:url|policy(?:/[^/]+)?))?/?")


class Lambda:
    def __init__(self, propagation: Propagation, clock: Clock) -> None:
        self.propagation = propagation
        self.clock = clock

    async def __call__(self, call: Call, forward: Forward) -> Answer:
        role = str(call.document.get("Role", "")).rpartition("/")[2]
        if self._creates(call) and self.clock.under_way("role", role):
            return json_error(
                "InvalidParameterValueException",
                "The role defined for the function cannot be assumed by Lambda.",
            )
        answer = await forward(call)
        found = FUNCTION.fullmatch(call.decoded_path)
        if answer.ok and found and call.method != "GET":
            name = found[1].rpartition("function:")[2].partition(":")[0]
            # A permission holds at once: it is Lambda's, not CloudFront's.
            await self.propagation.refresh("function_url", name, seconds=0)
        return answer

    @staticmethod
    def _creates(call: Call) -> bool:
        return call.method == "POST" and call.path.rstrip("/").endswith("/functions")
