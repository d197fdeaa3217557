"""Lambda: the edge hears of function URLs and of who may call them."""

from __future__ import annotations

import re

from localcloud.physics import Forward
from localcloud.propagation import Propagation
from localcloud.wire import Answer, Call

FUNCTION = re.compile(r"/20\d\d-\d\d-\d\d/functions/([^/]+)(?:/(?:url|policy(?:/[^/]+)?))?/?")


class Lambda:
    def __init__(self, propagation: Propagation) -> None:
        self.propagation = propagation

    async def __call__(self, call: Call, forward: Forward) -> Answer:
        answer = await forward(call)
        found = FUNCTION.fullmatch(call.decoded_path)
        if answer.ok and found and call.method != "GET":
            name = found[1].rpartition("function:")[2].partition(":")[0]
            # A permission holds at once: it is Lambda's, not CloudFront's.
            await self.propagation.refresh("function_url", name, seconds=0)
        return answer
