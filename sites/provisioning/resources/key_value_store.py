"""``AWS::CloudFront::KeyValueStore``: the index of a site's files at the edge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sites.provisioning.resources.base import Resource, State

if TYPE_CHECKING:
    from cloudadmin.aws import Clients


@dataclass(frozen=True)
class KeyValueStore(Resource):
    """Its keys belong to deployments; they can be written again from the database."""

    type = "key_value_store"
    not_found = frozenset({"EntityNotFound"})
    exists = frozenset({"EntityAlreadyExists"})
    in_use = frozenset({"CannotDeleteEntityWhileInUse"})
    usual_wait = 60
    name: str
    tags: dict[str, str]

    @property
    def label(self) -> str:
        return self.name

    def _read(self, clients: Clients, known_id: str) -> State | None:
        store = clients.cloudfront.describe_key_value_store(Name=self.name)["KeyValueStore"]
        status = store.get("Status", "")
        return State(
            self.name,
            attributes={"arn": store["ARN"]},
            aws_status=status,
            ready=status == "READY",
            waiting_for="CloudFront to provision the store, which takes about a minute",
        )

    def _create(self, clients: Clients) -> str:
        tags: Any = {"Items": [{"Key": key, "Value": value} for key, value in self.tags.items()]}
        clients.cloudfront.create_key_value_store(Name=self.name, Tags=tags)
        return self.name

    def _update(self, clients: Clients, current: State) -> None:
        """A store has nothing to change but its keys."""

    def _delete(self, clients: Clients, current: State) -> None:
        etag = clients.cloudfront.describe_key_value_store(Name=self.name)["ETag"]
        clients.cloudfront.delete_key_value_store(Name=self.name, IfMatch=etag)
