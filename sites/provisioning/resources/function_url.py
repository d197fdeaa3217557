"""``AWS::Lambda::Url``: the function's address, open to signed requests alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sites.provisioning.resources.base import Resource, State

if TYPE_CHECKING:
    from cloudadmin.aws import Clients


@dataclass(frozen=True)
class FunctionUrl(Resource):
    type = "function_url"
    not_found = frozenset({"ResourceNotFoundException"})
    exists = frozenset({"ResourceConflictException"})
    function_name: str

    @property
    def label(self) -> str:
        return self.function_name

    def desired(self) -> dict[str, Any]:
        return {"AuthType": "AWS_IAM"}

    def _read(self, clients: Clients, known_id: str) -> State | None:
        config = clients.lambda_.get_function_url_config(FunctionName=self.function_name)
        url = config["FunctionUrl"]
        return State(
            url,
            {"AuthType": config["AuthType"]},
            {"function_url": url, "domain_name": urlsplit(url).hostname},
        )

    def _create(self, clients: Clients) -> str:
        created = clients.lambda_.create_function_url_config(
            FunctionName=self.function_name, AuthType="AWS_IAM"
        )
        return created["FunctionUrl"]

    def _update(self, clients: Clients, current: State) -> None:
        clients.lambda_.update_function_url_config(
            FunctionName=self.function_name, AuthType="AWS_IAM"
        )

    def _delete(self, clients: Clients, current: State) -> None:
        clients.lambda_.delete_function_url_config(FunctionName=self.function_name)
