"""IAM: a role that was just made is not known everywhere yet; Lambda asks.

https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
"""

from __future__ import annotations

from localcloud.durations import Clock
from localcloud.physics import Forward
from localcloud.wire import Answer, Call


class Iam:
    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    async def __call__(self, call: Call, forward: Forward) -> Answer:
        answer = await forward(call)
        if answer.ok and call.action == "CreateRole":
            self.clock.begin("role", call.form["RoleName"])
        return answer
