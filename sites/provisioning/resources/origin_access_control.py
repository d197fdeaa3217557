"""``AWS::CloudFront::OriginAccessControl``: lets distributions sign their requests to an origin.

One per kind of origin serves every site of the account: the quota is 100, each good for 100
distributions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from sites.provisioning.resources.base import Resource, State, listed

if TYPE_CHECKING:
    from cloudadmin.aws import Clients


@dataclass(frozen=True)
class OriginAccessControl(Resource):
    type = "origin_access_control"
    not_found = frozenset({"NoSuchOriginAccessControl"})
    exists = frozenset({"OriginAccessControlAlreadyExists"})
    in_use = frozenset({"OriginAccessControlInUse"})
    name: str
    origin_type: Literal["s3", "lambda"]

    @property
    def label(self) -> str:
        return self.name

    def desired(self) -> dict[str, Any]:
        return {
            "SigningProtocol": "sigv4",
            "SigningBehavior": "always",
            "OriginAccessControlOriginType": self.origin_type,
        }

    def _read(self, clients: Clients, known_id: str) -> State | None:
        cloudfront = clients.cloudfront
        for item in listed(cloudfront.list_origin_access_controls, "OriginAccessControlList"):
            if item["Name"] == self.name:
                return State(item["Id"], {key: item[key] for key in self.desired()})
        return None

    def _create(self, clients: Clients) -> str:
        created = clients.cloudfront.create_origin_access_control(
            OriginAccessControlConfig=self._config()
        )
        return created["OriginAccessControl"]["Id"]

    def _update(self, clients: Clients, current: State) -> None:
        etag = clients.cloudfront.get_origin_access_control(Id=current.physical_id)["ETag"]
        clients.cloudfront.update_origin_access_control(
            Id=current.physical_id, IfMatch=etag, OriginAccessControlConfig=self._config()
        )

    def _delete(self, clients: Clients, current: State) -> None:
        etag = clients.cloudfront.get_origin_access_control(Id=current.physical_id)["ETag"]
        clients.cloudfront.delete_origin_access_control(Id=current.physical_id, IfMatch=etag)

    def _config(self) -> Any:
        return {"Name": self.name, **self.sent()}
