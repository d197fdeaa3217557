"""Lambda: a role must be there and old enough, one change at a time, and a new account's quotas.

The edge hears of function URLs and of who may call them.
https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from typing import Any

from localcloud.durations import Clock
from localcloud.operations import operation_of
from localcloud.physics import Forward
from localcloud.physics.policies import many, statements
from localcloud.propagation import Propagation
from localcloud.wire import Answer, Call, json_error

FUNCTION = re.compile(r"/20\d\d-\d\d-\d\d/functions/([^/]+)(?:/.*)?")
# What the edge knows of a function.
EDGE = re.compile(r"/20\d\d-\d\d-\d\d/functions/[^/]+(?:/(?:url|policy(?:/[^/]+)?))?/?")

# A zip of 50 MiB in base64; https://github.com/motdotla/node-lambda/issues/123 has AWS's words.
REQUEST_BYTES = 69_905_067
# What a new account may run at once, and what an account must keep for functions without a
# reservation: all of it, in a new one.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
CONCURRENCY, UNRESERVED = 10, 100

# By the clock's words: what a description says for as long, and what cannot be done.
STATES: Mapping[str, Mapping[str, str]] = {
    "function": {
        "State": "Pending",
        "StateReason": "The function is being created.",
        "StateReasonCode": "Creating",
        "LastUpdateStatus": "InProgress",
    },
    "function_update": {
        "State": "Active",
        "LastUpdateStatus": "InProgress",
        "LastUpdateStatusReason": "The function is being created.",
        "LastUpdateStatusReasonCode": "Creating",
    },
}
UPDATES = ("UpdateFunctionCode", "UpdateFunctionConfiguration", "PublishVersion")
BUSY = {"function": (*UPDATES, "Invoke"), "function_update": UPDATES}
BEGINS = {
    "CreateFunction": "function",
    "UpdateFunctionCode": "function_update",
    "UpdateFunctionConfiguration": "function_update",
}


class Lambda:
    """``concurrency``: what the account may run at once, which the emulator holds it to; 0: what a
    new account says it may, and nobody counts."""

    def __init__(self, propagation: Propagation, clock: Clock, concurrency: int = 0) -> None:
        self.concurrency = concurrency
        self.propagation = propagation
        self.iam = propagation.reader.iam
        self.clock = clock

    async def __call__(self, call: Call, forward: Forward) -> Answer:
        operation, name = operation_of(call).removeprefix("lambda."), _function(call)
        if refusal := await self._refuse(operation, name, call):
            return refusal
        answer = await forward(call)
        if not answer.ok:
            return answer
        if operation in BEGINS:
            self.clock.begin(BEGINS[operation], name)
        if call.method != "GET" and EDGE.fullmatch(call.decoded_path):
            # A permission holds at once: it is Lambda's, not CloudFront's.
            await self.propagation.refresh("function_url", name, seconds=0)
        return self._as_it_is_now(operation, name, answer)

    async def _refuse(self, operation: str, name: str, call: Call) -> Answer | None:
        if len(call.body) > REQUEST_BYTES:
            return json_error(
                "RequestEntityTooLargeException",
                f"Request must be smaller than {REQUEST_BYTES} bytes for the {operation} operation",
                413,
            )
        for what, refused in BUSY.items():
            if operation in refused and self.clock.under_way(what, name):
                return _conflict(what, name)
        match operation:
            case "CreateFunction" | "UpdateFunctionConfiguration" if "Role" in call.document:
                network = call.document.get("VpcConfig") or {}
                return await asyncio.to_thread(
                    self._refuse_role, str(call.document["Role"]), bool(network.get("SubnetIds"))
                )
            case "PutFunctionConcurrency":
                asked = call.document.get("ReservedConcurrentExecutions", 0)
                return await asyncio.to_thread(self._refuse_reservation, name, asked)
        return None

    def _refuse_reservation(self, name: str, asked: int) -> Answer | None:
        limit = free = CONCURRENCY
        if self.concurrency:
            client: Any = self.propagation.reader.lambda_
            settings = client.get_account_settings()["AccountLimit"]
            own = client.get_function_concurrency(FunctionName=name)
            limit = settings["ConcurrentExecutions"]
            free = settings["UnreservedConcurrentExecutions"] + own.get(
                "ReservedConcurrentExecutions", 0
            )
        kept = min(limit, UNRESERVED)
        if free - asked >= kept:
            return None
        return json_error(
            "InvalidParameterValueException",
            "Specified ReservedConcurrentExecutions for function decreases account's "
            f"UnreservedConcurrentExecution below its minimum value of [{kept}].",
        )

    def _refuse_role(self, arn: str, is_in_vpc: bool) -> Answer | None:
        name = arn.rpartition("/")[2]
        is_young = self.clock.under_way("role", name)
        if is_young and is_in_vpc:
            # https://github.com/hashicorp/terraform/issues/15067
            return json_error(
                "InvalidParameterValueException",
                "The provided execution role does not have permissions to call "
                "CreateNetworkInterface on EC2",
            )
        if not is_young and self._trusts_lambda(name):
            return None
        return json_error(
            "InvalidParameterValueException",
            "The role defined for the function cannot be assumed by Lambda.",
        )

    def _trusts_lambda(self, role: str) -> bool:
        try:
            policy = self.iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]
        except self.iam.exceptions.NoSuchEntityException:
            return False
        return any(
            "lambda.amazonaws.com" in many(statement["Principal"].get("Service"))
            for statement in statements(policy)
            if isinstance(statement.get("Principal"), dict)
        )

    def _as_it_is_now(self, operation: str, name: str, answer: Answer) -> Answer:
        if operation == "GetAccountSettings" and not self.concurrency:
            limits = {
                "ConcurrentExecutions": CONCURRENCY,
                "UnreservedConcurrentExecutions": CONCURRENCY,
            }
            return _with(answer, "AccountLimit", limits)
        if operation not in (*BEGINS, "GetFunction", "GetFunctionConfiguration"):
            return answer
        for what, state in STATES.items():
            if self.clock.under_way(what, name):
                part = "Configuration" if operation == "GetFunction" else ""
                return _with(answer, part, state)
        return answer


def _function(call: Call) -> str:
    """The function's name; a path has it, or its ARN, or either with a qualifier."""
    found = FUNCTION.fullmatch(call.decoded_path)
    if found is None:
        return str(call.document.get("FunctionName", ""))
    return found[1].rpartition("function:")[2].partition(":")[0]


def _conflict(what: str, name: str) -> Answer:
    why = (
        "The function is currently in the following state: Pending"
        if what == "function"
        else f"An update is in progress for resource: {name}"
    )
    message = f"The operation cannot be performed at this time. {why}"
    return json_error("ResourceConflictException", message, 409)


def _with(answer: Answer, part: str, more: Mapping[str, Any]) -> Answer:
    """The JSON answer with more in that part of it, or at its top."""
    document = answer.document
    (document[part] if part else document).update(more)
    return answer.with_body(json.dumps(document).encode())
