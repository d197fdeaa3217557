"""``AWS::CloudFront::CachePolicy``: answers that depend on a part of the query, kept for seconds.

AWS's own policies that have any query in their key have ``Host`` beside it, which a function URL
does not know: https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-cache-policies.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sites.provisioning.documents import overlay, present, project
from sites.provisioning.resources.base import Resource, State, listed

if TYPE_CHECKING:
    from cloudadmin.aws import Clients


@dataclass(frozen=True)
class CachePolicy(Resource):
    """``query``: the parameters that tell answers apart; the origin is told them and no others.
    ``seconds``: how long an answer is kept at most, and when it does not say itself."""

    type = "cache_policy"
    not_found = frozenset({"NoSuchCachePolicy"})
    exists = frozenset({"CachePolicyAlreadyExists"})
    in_use = frozenset({"CachePolicyInUse"})
    busy = frozenset({"PreconditionFailed", "InvalidIfMatchVersion"})
    name: str
    query: tuple[str, ...]
    seconds: int

    @property
    def label(self) -> str:
        return self.name

    def desired(self) -> dict[str, Any]:
        return {
            # As AWS's CachingOptimized: even what may not be kept is asked for once a second.
            "MinTTL": 1,
            "DefaultTTL": self.seconds,
            "MaxTTL": self.seconds,
            "ParametersInCacheKeyAndForwardedToOrigin": {
                "EnableAcceptEncodingGzip": True,
                "EnableAcceptEncodingBrotli": True,
                "HeadersConfig": {"HeaderBehavior": "none"},
                "CookiesConfig": {"CookieBehavior": "none"},
                "QueryStringsConfig": {
                    "QueryStringBehavior": "whitelist",
                    "QueryStrings": {"Quantity": len(self.query), "Items": [*self.query]},
                },
            },
        }

    def _read(self, clients: Clients, known_id: str) -> State | None:
        call = clients.cloudfront.list_cache_policies
        for item in listed(call, "CachePolicyList", Type="custom"):
            policy = item["CachePolicy"]
            config = policy["CachePolicyConfig"]
            if config["Name"] == self.name:
                return State(policy["Id"], project(self.desired(), config))
        return None

    def _create(self, clients: Clients) -> str:
        created = clients.cloudfront.create_cache_policy(CachePolicyConfig=present(self._config()))
        return created["CachePolicy"]["Id"]

    def _update(self, clients: Clients, current: State) -> None:
        now = clients.cloudfront.get_cache_policy(Id=current.physical_id)
        config = now["CachePolicy"]["CachePolicyConfig"]
        clients.cloudfront.update_cache_policy(
            Id=current.physical_id,
            IfMatch=now["ETag"],
            CachePolicyConfig=present(overlay(config, self._config())),
        )

    def _delete(self, clients: Clients, current: State) -> None:
        etag = clients.cloudfront.get_cache_policy(Id=current.physical_id)["ETag"]
        clients.cloudfront.delete_cache_policy(Id=current.physical_id, IfMatch=etag)

    def _config(self) -> Any:
        return {"Name": self.name, **self.wanted()}
