"""Route 53: a change is ``PENDING`` for a while.

https://docs.aws.amazon.com/Route53/latest/APIReference/API_GetChange.html
"""

from __future__ import annotations

import re

from localcloud.durations import Clock
from localcloud.physics import Forward
from localcloud.wire import Answer, Call

CHANGE = re.compile(r"<Id>/change/([A-Z0-9]+)</Id>")


class Route53:
    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    async def __call__(self, call: Call, forward: Forward) -> Answer:
        answer = await forward(call)
        if not answer.ok or not (found := CHANGE.search(answer.text)):
            return answer
        if call.method != "GET":
            self.clock.begin("change", found[1])
        if not self.clock.under_way("change", found[1]):
            return answer
        body = answer.text.replace("<Status>INSYNC</Status>", "<Status>PENDING</Status>")
        return answer.with_body(body.encode())
