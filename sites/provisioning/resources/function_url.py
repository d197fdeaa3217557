"""``AWS::Lambda::Url``: the function's address, open to signed requests alone."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from cloudadmin.aws import ClientError, error_code
from sites.provisioning.resources.base import Resource, State

if TYPE_CHECKING:
    from cloudadmin.aws import Clients


@dataclass(frozen=True)
class FunctionUrl(Resource):
    """``PublicStatements`` are the ids of what opens the function to everybody."""

    type = "function_url"
    not_found = frozenset({"ResourceNotFoundException"})
    exists = frozenset({"ResourceConflictException"})
    function_name: str

    @property
    def label(self) -> str:
        return self.function_name

    def desired(self) -> dict[str, Any]:
        return {"AuthType": "AWS_IAM", "PublicStatements": []}

    def _read(self, clients: Clients, known_id: str) -> State | None:
        config = clients.lambda_.get_function_url_config(FunctionName=self.function_name)
        url = config["FunctionUrl"]
        return State(
            url,
            {"AuthType": config["AuthType"], "PublicStatements": self._public_statements(clients)},
            {"function_url": url, "domain_name": urlsplit(url).hostname},
        )

    def _public_statements(self, clients: Clients) -> list[str]:
        try:
            policy = clients.lambda_.get_policy(FunctionName=self.function_name)["Policy"]
        except ClientError as error:
            if error_code(error) in self.not_found:
                return []
            raise
        return sorted(
            statement["Sid"]
            for statement in json.loads(policy)["Statement"]
            if statement["Principal"] in ("*", {"AWS": "*"}) and statement["Effect"] == "Allow"
        )

    def _create(self, clients: Clients) -> str:
        created = clients.lambda_.create_function_url_config(
            FunctionName=self.function_name, AuthType=self._auth_type()
        )
        return created["FunctionUrl"]

    def _update(self, clients: Clients, current: State) -> None:
        clients.lambda_.update_function_url_config(
            FunctionName=self.function_name, AuthType=self._auth_type()
        )
        wanted = self.wanted()["PublicStatements"]
        for statement_id in current.properties["PublicStatements"]:
            if statement_id not in wanted:
                clients.lambda_.remove_permission(
                    FunctionName=self.function_name, StatementId=statement_id
                )

    def _auth_type(self) -> Any:
        return self.wanted()["AuthType"]

    def _delete(self, clients: Clients, current: State) -> None:
        clients.lambda_.delete_function_url_config(FunctionName=self.function_name)
