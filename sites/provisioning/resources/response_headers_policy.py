"""``AWS::CloudFront::ResponseHeadersPolicy``: the security headers of every answer.

One for each preset that the account's sites use: the quota is 20 policies, not 20 sites.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sites.provisioning.documents import overlay, present, project
from sites.provisioning.resources.base import Resource, State, listed

if TYPE_CHECKING:
    from cloudadmin.aws import Clients

TWO_YEARS = 63_072_000  # seconds

# An A at https://developer.mozilla.org/en-US/observatory/docs/tests_and_scoring and at
# https://securityheaders.com. Pages that need more than their own origin set their own.
CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'self'",
        "img-src 'self' data:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    ]
)
PERMISSIONS_POLICY = ", ".join(
    f"{feature}=()"
    for feature in (
        *("accelerometer", "browsing-topics", "camera", "display-capture", "geolocation"),
        *("gyroscope", "magnetometer", "microphone", "midi", "payment", "serial", "usb"),
    )
)
STRICT_HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": PERMISSIONS_POLICY,
}
PRESETS = ("standard", "strict")


@dataclass(frozen=True)
class ResponseHeadersPolicy(Resource):
    """A site may set its own; these apply where it says nothing, but for nosniff and HSTS."""

    type = "response_headers_policy"
    not_found = frozenset({"NoSuchResponseHeadersPolicy"})
    exists = frozenset({"ResponseHeadersPolicyAlreadyExists"})
    in_use = frozenset({"ResponseHeadersPolicyInUse"})
    busy = frozenset({"PreconditionFailed", "InvalidIfMatchVersion"})
    name: str
    preset: str = "standard"

    @property
    def label(self) -> str:
        return self.name if self.preset == "standard" else f"{self.name}-{self.preset}"

    def desired(self) -> dict[str, Any]:
        security: dict[str, Any] = {
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
        if self.preset == "standard":
            return {"SecurityHeadersConfig": security}
        custom = [
            {"Header": header, "Value": value, "Override": False}
            for header, value in STRICT_HEADERS.items()
        ]
        return {
            "SecurityHeadersConfig": security
            | {
                "FrameOptions": {"FrameOption": "DENY", "Override": False},
                "ContentSecurityPolicy": {
                    "ContentSecurityPolicy": CONTENT_SECURITY_POLICY,
                    "Override": False,
                },
            },
            "CustomHeadersConfig": {"Quantity": len(custom), "Items": custom},
        }

    def _read(self, clients: Clients, known_id: str) -> State | None:
        cloudfront = clients.cloudfront
        for item in listed(
            cloudfront.list_response_headers_policies, "ResponseHeadersPolicyList", Type="custom"
        ):
            policy = item["ResponseHeadersPolicy"]
            config = policy["ResponseHeadersPolicyConfig"]
            if config["Name"] == self.label:
                return State(policy["Id"], project(self.desired(), config))
        return None

    def _create(self, clients: Clients) -> str:
        created = clients.cloudfront.create_response_headers_policy(
            ResponseHeadersPolicyConfig=present(self._config())
        )
        return created["ResponseHeadersPolicy"]["Id"]

    def _update(self, clients: Clients, current: State) -> None:
        now = clients.cloudfront.get_response_headers_policy(Id=current.physical_id)
        config = now["ResponseHeadersPolicy"]["ResponseHeadersPolicyConfig"]
        clients.cloudfront.update_response_headers_policy(
            Id=current.physical_id,
            IfMatch=now["ETag"],
            ResponseHeadersPolicyConfig=present(overlay(config, self._config())),
        )

    def _delete(self, clients: Clients, current: State) -> None:
        etag = clients.cloudfront.get_response_headers_policy(Id=current.physical_id)["ETag"]
        clients.cloudfront.delete_response_headers_policy(Id=current.physical_id, IfMatch=etag)

    def _config(self) -> Any:
        return {"Name": self.label, **self.wanted()}
