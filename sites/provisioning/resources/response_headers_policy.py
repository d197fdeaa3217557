"""``AWS::CloudFront::ResponseHeadersPolicy``: the security headers of every answer.

One serves every site of the account: the quota is 20 policies, not 20 sites.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sites.provisioning.documents import project
from sites.provisioning.resources.base import Resource, State, listed

if TYPE_CHECKING:
    from cloudadmin.aws import Clients

TWO_YEARS = 63_072_000  # seconds


@dataclass(frozen=True)
class ResponseHeadersPolicy(Resource):
    """A site may set its own; these apply where it says nothing, but for nosniff and HSTS."""

    type = "response_headers_policy"
    not_found = frozenset({"NoSuchResponseHeadersPolicy"})
    exists = frozenset({"ResponseHeadersPolicyAlreadyExists"})
    in_use = frozenset({"ResponseHeadersPolicyInUse"})
    name: str

    @property
    def label(self) -> str:
        return self.name

    def desired(self) -> dict[str, Any]:
        return {
            "SecurityHeadersConfig": {
                "ContentTypeOptions": {"Override": True},
                "FrameOptions": {"FrameOption": "SAMEORIGIN", "Override": False},
                "ReferrerPolicy": {
                    "ReferrerPolicy": "strict-origin-when-cross-origin",
                    "Override": False,
                },
                # Subdomains and preload cannot be taken back: a person decides those.
                "StrictTransportSecurity": {
                    "AccessControlMaxAgeSec": TWO_YEARS,
                    "IncludeSubdomains": False,
                    "Preload": False,
                    "Override": True,
                },
            }
        }

    def _read(self, clients: Clients, known_id: str) -> State | None:
        cloudfront = clients.cloudfront
        for item in listed(
            cloudfront.list_response_headers_policies, "ResponseHeadersPolicyList", Type="custom"
        ):
            policy = item["ResponseHeadersPolicy"]
            config = policy["ResponseHeadersPolicyConfig"]
            if config["Name"] == self.name:
                return State(policy["Id"], project(self.desired(), config))
        return None

    def _create(self, clients: Clients) -> str:
        created = clients.cloudfront.create_response_headers_policy(
            ResponseHeadersPolicyConfig=self._config()
        )
        return created["ResponseHeadersPolicy"]["Id"]

    def _update(self, clients: Clients, current: State) -> None:
        etag = clients.cloudfront.get_response_headers_policy(Id=current.physical_id)["ETag"]
        clients.cloudfront.update_response_headers_policy(
            Id=current.physical_id, IfMatch=etag, ResponseHeadersPolicyConfig=self._config()
        )

    def _delete(self, clients: Clients, current: State) -> None:
        etag = clients.cloudfront.get_response_headers_policy(Id=current.physical_id)["ETag"]
        clients.cloudfront.delete_response_headers_policy(Id=current.physical_id, IfMatch=etag)

    def _config(self) -> Any:
        return {"Name": self.name, **self.desired()}
