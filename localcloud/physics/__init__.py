"""What the emulator leaves out: one module per AWS service, one class of rules in each.

A rule is a coroutine ``(call, forward) -> Answer``: it may answer by itself (a refusal), change the
call before ``forward``, or the answer after it. One with ``wants(call) -> bool`` gets no others.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from localcloud.wire import Answer, Call

Forward = Callable[[Call], Awaitable[Answer]]
Rule = Callable[[Call, Forward], Awaitable[Answer]]


class Rules:
    """The rules of each service, by signing name."""

    def __init__(self, by_service: Mapping[str, Rule]) -> None:
        self.by_service = by_service

    def see(self, call: Call) -> bool:
        """Whether a rule wants the call, which has no body yet. Other calls stream past."""
        rule = self.by_service.get(call.service)
        wants = getattr(rule, "wants", None)
        return rule is not None and (wants is None or wants(call))

    async def __call__(self, call: Call, forward: Forward) -> Answer:
        return await self.by_service[call.service](call, forward)
