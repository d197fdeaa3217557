"""``AWS::CloudFront::OriginRequestPolicy``: what the counter or the router is told of a visitor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sites.provisioning.documents import project
from sites.provisioning.resources.base import Resource, State, listed

if TYPE_CHECKING:
    from cloudadmin.aws import Clients


@dataclass(frozen=True)
class OriginRequestPolicy(Resource):
    """``headers``: ten at most, by AWS's default quota. ``query``: "all" or "none". No cookies."""

    type = "origin_request_policy"
    not_found = frozenset({"NoSuchOriginRequestPolicy"})
    exists = frozenset({"OriginRequestPolicyAlreadyExists"})
    in_use = frozenset({"OriginRequestPolicyInUse"})
    name: str
    headers: tuple[str, ...]
    query: str = "all"

    @property
    def label(self) -> str:
        return self.name

    def desired(self) -> dict[str, Any]:
        return {
            "HeadersConfig": {
                "HeaderBehavior": "whitelist",
                "Headers": {"Quantity": len(self.headers), "Items": [*self.headers]},
            },
            "CookiesConfig": {"CookieBehavior": "none"},
            "QueryStringsConfig": {"QueryStringBehavior": self.query},
        }

    def _read(self, clients: Clients, known_id: str) -> State | None:
        cloudfront = clients.cloudfront
        for item in listed(
            cloudfront.list_origin_request_policies, "OriginRequestPolicyList", Type="custom"
        ):
            policy = item["OriginRequestPolicy"]
            config = policy["OriginRequestPolicyConfig"]
            if config["Name"] == self.name:
                return State(policy["Id"], project(self.desired(), config))
        return None

    def _create(self, clients: Clients) -> str:
        created = clients.cloudfront.create_origin_request_policy(
            OriginRequestPolicyConfig=self._config()
        )
        return created["OriginRequestPolicy"]["Id"]

    def _update(self, clients: Clients, current: State) -> None:
        etag = clients.cloudfront.get_origin_request_policy(Id=current.physical_id)["ETag"]
        clients.cloudfront.update_origin_request_policy(
            Id=current.physical_id, IfMatch=etag, OriginRequestPolicyConfig=self._config()
        )

    def _delete(self, clients: Clients, current: State) -> None:
        etag = clients.cloudfront.get_origin_request_policy(Id=current.physical_id)["ETag"]
        clients.cloudfront.delete_origin_request_policy(Id=current.physical_id, IfMatch=etag)

    def _config(self) -> Any:
        return {"Name": self.name, **self.sent()}
