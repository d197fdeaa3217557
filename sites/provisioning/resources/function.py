"""``AWS::CloudFront::Function``: what runs at the edge, before the cache is asked or after."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from cloudadmin.aws import ClientError, error_code
from sites.provisioning.resources.base import NOT_RECORDED, Resource, State

if TYPE_CHECKING:
    from cloudadmin.aws import Clients


@dataclass(frozen=True)
class Function(Resource):
    """``code_sha256`` is the hex digest of ``code``, JavaScript in UTF-8."""

    type = "function"
    not_found = frozenset({"NoSuchFunctionExists"})
    exists = frozenset({"FunctionAlreadyExists"})
    in_use = frozenset({"FunctionInUse"})
    # Someone else was faster, or we were and the answer was lost: read it again, compare again.
    busy = frozenset({"PreconditionFailed", "InvalidIfMatchVersion"})
    name: str
    key_value_store_arn: str
    code_sha256: str
    code: str = field(default="", metadata=NOT_RECORDED)

    @property
    def label(self) -> str:
        return self.name

    def desired(self) -> dict[str, Any]:
        """Of the LIVE stage, the one that visitors meet."""
        return {"code_sha256": self.code_sha256, "key_value_store_arn": self.key_value_store_arn}

    def _read(self, clients: Clients, known_id: str) -> State | None:
        cloudfront = clients.cloudfront
        try:
            live = cloudfront.describe_function(Name=self.name, Stage="LIVE")["FunctionSummary"]
        except ClientError as error:
            if error_code(error) not in self.not_found:
                raise
            # Created, then never published: half a create, finished by an update.
            made = cloudfront.describe_function(Name=self.name, Stage="DEVELOPMENT")[
                "FunctionSummary"
            ]
            return State(
                self.name,
                {"code_sha256": ""},
                {"arn": made["FunctionMetadata"]["FunctionARN"]},
                aws_status="UNPUBLISHED",
            )
        code = cloudfront.get_function(Name=self.name, Stage="LIVE")["FunctionCode"].read()
        stores: Any = live["FunctionConfig"].get("KeyValueStoreAssociations", {})
        arns = [item["KeyValueStoreARN"] for item in stores.get("Items", [])]
        return State(
            self.name,
            {
                "code_sha256": sha256(code).hexdigest(),
                "key_value_store_arn": arns[0] if arns else "",
            },
            {"arn": live["FunctionMetadata"]["FunctionARN"]},
            aws_status=live.get("Status", ""),
        )

    def _create(self, clients: Clients) -> str:
        created = clients.cloudfront.create_function(
            Name=self.name, FunctionConfig=self._config(), FunctionCode=self.code.encode()
        )
        clients.cloudfront.publish_function(Name=self.name, IfMatch=created["ETag"])
        return self.name

    def _update(self, clients: Clients, current: State) -> None:
        clients.cloudfront.update_function(
            Name=self.name,
            IfMatch=self._etag(clients),
            FunctionConfig=self._config(),
            FunctionCode=self.code.encode(),
        )
        # Asked again: the answer of an update carries its ETag under a misspelt name.
        clients.cloudfront.publish_function(Name=self.name, IfMatch=self._etag(clients))

    def _delete(self, clients: Clients, current: State) -> None:
        clients.cloudfront.delete_function(Name=self.name, IfMatch=self._etag(clients))

    def _etag(self, clients: Clients) -> str:
        return clients.cloudfront.describe_function(Name=self.name, Stage="DEVELOPMENT")["ETag"]

    def _config(self) -> Any:
        return {
            "Comment": self.name,
            "Runtime": "cloudfront-js-2.0",
            "KeyValueStoreAssociations": {
                "Quantity": 1,
                "Items": [{"KeyValueStoreARN": self.key_value_store_arn}],
            },
        }
