"""``AWS::Lambda::Permission``: lets one distribution call one function.

A function URL wants two of them since October 2025: InvokeFunctionUrl, and InvokeFunction limited
to calls through the URL.
https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sites.provisioning.resources.base import Resource, State

if TYPE_CHECKING:
    from cloudadmin.aws import Clients

URL_ACTION = "lambda:InvokeFunctionUrl"
CALL_ACTION = "lambda:InvokeFunction"


@dataclass(frozen=True)
class FunctionPermission(Resource):
    type = "function_permission"
    not_found = frozenset({"ResourceNotFoundException"})
    exists = frozenset({"ResourceConflictException"})
    # AWS has no way to change a statement.
    replace_on = frozenset({"source_arn", "action"})
    function_name: str
    action: str
    source_arn: str

    @property
    def label(self) -> str:
        return f"{self.function_name} {self.action}"

    @property
    def statement_id(self) -> str:
        return self.action.replace(":", "-")

    def _read(self, clients: Clients, known_id: str) -> State | None:
        policy = json.loads(clients.lambda_.get_policy(FunctionName=self.function_name)["Policy"])
        for statement in policy["Statement"]:
            if statement.get("Sid") == self.statement_id:
                source: Any = statement.get("Condition", {}).get("ArnLike", {})
                return State(
                    f"{self.function_name}/{self.statement_id}",
                    {
                        "action": statement["Action"],
                        "source_arn": source.get("AWS:SourceArn", ""),
                    },
                )
        return None

    def _create(self, clients: Clients) -> str:
        url_only: Any = (
            {"FunctionUrlAuthType": "AWS_IAM"}
            if self.action == URL_ACTION
            else {"InvokedViaFunctionUrl": True}
        )
        clients.lambda_.add_permission(
            FunctionName=self.function_name,
            StatementId=self.statement_id,
            Action=self.action,
            Principal="cloudfront.amazonaws.com",
            SourceArn=self.source_arn,
            **url_only,
        )
        return f"{self.function_name}/{self.statement_id}"

    def _update(self, clients: Clients, current: State) -> None:
        """Never asked for: every field is in ``replace_on``."""

    def _delete(self, clients: Clients, current: State) -> None:
        clients.lambda_.remove_permission(
            FunctionName=self.function_name, StatementId=self.statement_id
        )
