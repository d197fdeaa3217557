"""``AWS::CloudFront::Distribution``: the site's edge."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sites.provisioning.documents import overlay, present, project
from sites.provisioning.resources.base import Resource, State, listed, tag_dict, tag_list

if TYPE_CHECKING:
    from cloudadmin.aws import Clients

# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-cache-policies.html
CACHING_OPTIMIZED = "658327ea-f89d-4fab-a63d-7e88639e58f6"
CACHING_DISABLED = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"


@dataclass(frozen=True)
class Distribution(Resource):
    """Without ``function_url_domain_name`` there is no counter, and one that was made before there
    was a ``badge_policy_id`` is as it was made until it is changed.

    ``aliases`` is None while the certificate is not issued: the aliases of now stay as they are.
    """

    type = "distribution"
    not_found = frozenset({"NoSuchDistribution"})
    # What AWS answers to a CallerReference that it has seen.
    # https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_DistributionConfig.html
    exists = frozenset({"DistributionAlreadyExists"})
    busy = frozenset({"PreconditionFailed", "InvalidIfMatchVersion", "DistributionNotDisabled"})
    usual_wait = 300
    name: str
    bucket_domain_name: str
    origin_access_control_id: str
    response_headers_policy_id: str
    function_arn: str
    price_class: str
    tags: dict[str, str]
    aliases: tuple[str, ...] | None = None
    certificate_arn: str = ""
    function_url_domain_name: str = ""
    lambda_origin_access_control_id: str = ""
    origin_request_policy_id: str = ""
    badge_policy_id: str = ""
    headers_function_arn: str = ""
    router_policy_id: str = ""

    @property
    def label(self) -> str:
        return self.name

    def desired(self) -> dict[str, Any]:
        return {**self._config(), "Tags": self.tags}

    def _read(self, clients: Clients, known_id: str) -> State | None:
        distribution_id = known_id or self._find(clients)
        if not distribution_id:
            return None
        answer: Any = clients.cloudfront.get_distribution(Id=distribution_id)
        found = answer["Distribution"]
        tags = clients.cloudfront.list_tags_for_resource(Resource=found["ARN"])["Tags"]
        config = found["DistributionConfig"]
        actual = config | {"Tags": tag_dict(tags.get("Items", []), self.tags)}
        return State(
            distribution_id,
            {**project(self.desired(), actual), "Enabled": config["Enabled"]},
            {
                "arn": found["ARN"],
                "domain_name": found["DomainName"],
                "aliases": config.get("Aliases", {}).get("Items", []),
                "etag": answer["ETag"],
            },
            aws_status=found["Status"],
            ready=found["Status"] == "Deployed",
            waiting_for="CloudFront to bring the change to its edges, usually 3 to 6 minutes",
        )

    def _find(self, clients: Clients) -> str:
        # A list carries the comment, not the CallerReference.
        for item in listed(clients.cloudfront.list_distributions, "DistributionList"):
            if item["Comment"] == self.name:
                return str(item["Id"])
        return ""

    def _create(self, clients: Clients) -> str:
        config: Any = {
            "Aliases": _items([]),
            "ViewerCertificate": {"CloudFrontDefaultCertificate": True},
            **present(self._wanted_config()),
            "CallerReference": f"{self.name}-{self.generation}",
        }
        created = clients.cloudfront.create_distribution_with_tags(
            DistributionConfigWithTags={
                "DistributionConfig": config,
                "Tags": {"Items": tag_list(self.sent()["Tags"])},
            }
        )
        return created["Distribution"]["Id"]

    def _update(self, clients: Clients, current: State) -> None:
        self._edit(clients, current, self._wanted_config())
        clients.cloudfront.tag_resource(
            Resource=current.attributes["arn"], Tags={"Items": tag_list(self.sent()["Tags"])}
        )

    def _delete(self, clients: Clients, current: State) -> State | None:
        if current.properties["Enabled"]:
            self._edit(clients, current, {"Enabled": False})
            current = self._settled(clients, current.physical_id)
        if not current.ready:
            return replace(
                current,
                waiting_for="CloudFront to switch it off at its edges, usually 3 to 6 minutes; "
                "then it can be deleted",
            )
        clients.cloudfront.delete_distribution(
            Id=current.physical_id, IfMatch=current.attributes["etag"]
        )
        return None

    def _edit(self, clients: Clients, current: State, changes: dict[str, Any]) -> None:
        """An update replaces everything, so it starts from what is there, provided that it is still
        what was compared; else CloudFront refuses, and the next pass compares anew."""
        now = clients.cloudfront.get_distribution_config(Id=current.physical_id)
        config = overlay(now["DistributionConfig"], changes)
        # One choice in several fields, some of which repeat it: what is left of another is wrong.
        if "ViewerCertificate" in changes:
            config["ViewerCertificate"] = changes["ViewerCertificate"]
        clients.cloudfront.update_distribution(
            Id=current.physical_id,
            IfMatch=current.attributes["etag"],
            DistributionConfig=present(config),
        )

    def _wanted_config(self) -> dict[str, Any]:
        return {name: value for name, value in self.wanted().items() if name != "Tags"}

    def _config(self) -> dict[str, Any]:
        counter = self._counter_behaviors() if self.function_url_domain_name else []
        return {
            "Comment": self.name,
            "Enabled": True,
            "HttpVersion": "http2and3",
            "IsIPV6Enabled": True,
            "PriceClass": self.price_class,
            # The router answers "/", not a fixed object.
            "DefaultRootObject": "",
            "Origins": _items([self._bucket_origin(), *self._counter_origins()]),
            "DefaultCacheBehavior": self._default_behavior(),
            "CacheBehaviors": _items([*counter, self._behavior("bucket", PathPattern="/data/*")]),
            "CustomErrorResponses": _items(self._errors()),
            **self._names(),
        }

    def _names(self) -> dict[str, Any]:
        if self.aliases is None:
            return {}
        if not self.aliases:
            return {
                "Aliases": _items([]),
                "ViewerCertificate": {"CloudFrontDefaultCertificate": True},
            }
        return {
            "Aliases": _items([*self.aliases]),
            "ViewerCertificate": {
                "CloudFrontDefaultCertificate": False,
                "ACMCertificateArn": self.certificate_arn,
                "SSLSupportMethod": "sni-only",
                "MinimumProtocolVersion": "TLSv1.2_2025",
            },
        }

    def _bucket_origin(self) -> dict[str, Any]:
        return {
            "Id": "bucket",
            "DomainName": self.bucket_domain_name,
            "OriginPath": "",
            "CustomHeaders": {"Quantity": 0},
            "OriginAccessControlId": self.origin_access_control_id,
            "S3OriginConfig": {"OriginAccessIdentity": ""},
        }

    def _counter_origins(self) -> list[dict[str, Any]]:
        if not self.function_url_domain_name:
            return []
        return [
            {
                "Id": "counter",
                "DomainName": self.function_url_domain_name,
                "OriginPath": "",
                "CustomHeaders": {"Quantity": 0},
                "OriginAccessControlId": self.lambda_origin_access_control_id,
                "CustomOriginConfig": {
                    "HTTPPort": 80,
                    "HTTPSPort": 443,
                    "OriginProtocolPolicy": "https-only",
                    "OriginSslProtocols": _items(["TLSv1.2"]),
                    "OriginReadTimeout": 30,
                    "OriginKeepaliveTimeout": 5,
                },
            }
        ]

    def _default_behavior(self) -> dict[str, Any]:
        functions = {
            "viewer-request": self.function_arn,
            "viewer-response": self.headers_function_arn,
        }
        associations = [
            {"EventType": event, "FunctionARN": arn} for event, arn in functions.items() if arn
        ]
        return self._behavior("bucket") | {
            "FunctionAssociations": _items(associations),
            "OriginRequestPolicyId": self.router_policy_id,
        }

    def _counter_behaviors(self) -> list[dict[str, Any]]:
        return [
            self._behavior("counter", PathPattern="/_cloudadmin/count")
            | {
                "CachePolicyId": CACHING_DISABLED,
                "OriginRequestPolicyId": self.origin_request_policy_id,
            },
            *self._badge_behavior(),
            self._behavior("counter", PathPattern="/_cloudadmin/*"),
        ]

    def _badge_behavior(self) -> list[dict[str, Any]]:
        """A badge is another one for each label."""
        badge = self._behavior("counter", PathPattern="/_cloudadmin/visits.svg")
        return [badge | {"CachePolicyId": self.badge_policy_id}] if self.badge_policy_id else []

    def _errors(self) -> list[dict[str, Any]]:
        # CloudFront fetches these without running the router.
        pages = [_error_page(403), _error_page(404)]
        if not self.badge_policy_id:
            return pages
        return [*pages, *(_passing(code) for code in (500, 502, 503, 504))]

    def _behavior(self, origin_id: str, **more: str) -> dict[str, Any]:
        return {
            **more,
            "TargetOriginId": origin_id,
            "ViewerProtocolPolicy": "redirect-to-https",
            "AllowedMethods": {
                **_items(["GET", "HEAD"]),
                "CachedMethods": _items(["GET", "HEAD"]),
            },
            "Compress": True,
            "SmoothStreaming": False,
            "FieldLevelEncryptionId": "",
            "LambdaFunctionAssociations": {"Quantity": 0},
            "FunctionAssociations": {"Quantity": 0},
            "CachePolicyId": CACHING_OPTIMIZED,
            "ResponseHeadersPolicyId": self.response_headers_policy_id,
        }


def _items(items: list[Any]) -> dict[str, Any]:
    return {"Quantity": len(items), "Items": items}


def _error_page(code: int) -> dict[str, Any]:
    return {
        "ErrorCode": code,
        "ResponsePagePath": "/errors/404.html",
        "ResponseCode": "404",
        "ErrorCachingMinTTL": 10,
    }


def _passing(code: int) -> dict[str, Any]:
    """An error of one visitor is none of the next ones'.

    CloudFront keeps what went wrong for ten seconds, whatever the answer says of that, and what is
    kept of a path that is not to be kept has no query: nobody would be counted meanwhile.
    https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/custom-error-pages-expiration.html
    """
    return {
        "ErrorCode": code,
        "ResponsePagePath": "",
        "ResponseCode": "",
        "ErrorCachingMinTTL": 0,
    }
