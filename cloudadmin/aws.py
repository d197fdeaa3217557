"""The door to AWS: the only module that imports boto3.

Everything else is handed a :class:`Clients` and calls AWS's own operations by AWS's own names, so
there is no second vocabulary to keep in step. Errors leave as botocore's ``ClientError``, compared
by :func:`error_code`; nothing here hides a 403 as "does not exist".

What takes long to import is imported when it is used: a deploy that changes nothing calls no AWS.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ParamValidationError,
    ReadTimeoutError,
)

from cloudadmin.calls import note_call

if TYPE_CHECKING:
    import boto3
    from botocore.awsrequest import AWSPreparedRequest
    from botocore.credentials import Credentials, ReadOnlyCredentials
    from botocore.loaders import Loader
    from botocore.model import OperationModel
    from mypy_boto3_acm import ACMClient
    from mypy_boto3_cloudfront import CloudFrontClient
    from mypy_boto3_cloudfront_keyvaluestore import CloudFrontKeyValueStoreClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_rds import RDSClient
    from mypy_boto3_route53 import Route53Client
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_service_quotas import ServiceQuotasClient
    from mypy_boto3_sts import STSClient
    from obstore.store import S3Store

__all__ = [
    "CLOUDFRONT_REGION",
    "Access",
    "AnswerGarbled",
    "BotoCoreError",
    "BucketAddress",
    "ClientError",
    "Clients",
    "error_code",
    "is_permanent",
    "new_session",
    "was_answer_lost",
]

# CloudFront reads certificates, web ACLs and functions from this region alone.
# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cnames-and-https-requirements.html
CLOUDFRONT_REGION = "us-east-1"

TRANSIENT_CODES = frozenset(
    {
        "InternalError",
        "InternalFailure",
        "OperationAborted",
        "PriorRequestNotComplete",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)


class AnswerGarbled(BotoCoreError):
    """AWS answered, and nobody can read it: the call may have been done."""

    fmt = "AWS's answer could not be read: {error}"


@dataclass(frozen=True)
class Access:
    """How to reach one AWS account.

    ``role_arn`` and ``external_id`` are for AssumeRole; without them the process's own credentials
    are used. ``endpoint_url`` is the local cloud, or None for AWS.
    """

    region: str
    role_arn: str = ""
    external_id: str = ""
    endpoint_url: str | None = None


@dataclass(frozen=True)
class BucketAddress:
    """Where S3's REST API has a bucket: its objects are at ``url``, a slash, and their keys.

    ``credentials`` are asked for with each request: they may be renewed meanwhile.
    """

    url: str
    region: str
    credentials: Callable[[], ReadOnlyCredentials]


class Clients:
    """One boto3 client per AWS service, made on first use.

    ``pace`` is called with the service's name before every request, retries too, and may wait.
    """

    def __init__(self, access: Access, pace: Callable[[str], None] | None = None) -> None:
        self.access = access
        self.pace = pace
        self.region = access.region

    @cached_property
    def _session(self) -> boto3.Session:
        if self.access.endpoint_url:
            # Real credentials never travel to the local cloud.
            return new_session(self.region, "local", "local")
        session = new_session(self.region)
        if not self.access.role_arn:
            return session
        credentials = session.client("sts").assume_role(
            RoleArn=self.access.role_arn,
            RoleSessionName="cloudadmin",
            ExternalId=self.access.external_id,
        )["Credentials"]
        return new_session(
            self.region,
            credentials["AccessKeyId"],
            credentials["SecretAccessKey"],
            credentials["SessionToken"],
        )

    def _client(self, service: Any, region: str | None = None) -> Any:
        from botocore.config import Config

        client = self._session.client(
            service,
            region_name=region or self.region,
            endpoint_url=self.access.endpoint_url,
            config=Config(
                connect_timeout=5,
                read_timeout=20,
                retries={"mode": "standard", "total_max_attempts": 5},
                s3={"addressing_style": "path"} if self.access.endpoint_url else None,
            ),
        )
        client.meta.events.register_first("needs-retry", create_only_once)
        client.meta.events.register("after-call-error", raise_if_garbled)
        client.meta.events.register("after-call", note_call)
        if pace := self.pace:
            client.meta.events.register("before-send", lambda **_: pace(service))
        return client

    @cached_property
    def acm(self) -> ACMClient:
        client: ACMClient = self._client("acm", CLOUDFRONT_REGION)
        return client

    @cached_property
    def cloudfront(self) -> CloudFrontClient:
        client: CloudFrontClient = self._client("cloudfront", CLOUDFRONT_REGION)
        return client

    @cached_property
    def keyvaluestore(self) -> CloudFrontKeyValueStoreClient:
        client: CloudFrontKeyValueStoreClient = self._client(
            "cloudfront-keyvaluestore", CLOUDFRONT_REGION
        )
        if self.access.endpoint_url:
            endpoint = urlsplit(self.access.endpoint_url)

            def to_local_cloud(request: AWSPreparedRequest, **_: Any) -> None:
                # The client puts the account id before the host name, which no loopback
                # address can carry.
                url = urlsplit(request.url)
                request.url = urlunsplit(
                    url._replace(scheme=endpoint.scheme, netloc=endpoint.netloc)
                )

            client.meta.events.register("before-send.cloudfront-keyvaluestore", to_local_cloud)
        return client

    @cached_property
    def cloudwatch(self) -> Any:
        return self._client("cloudwatch")

    @cached_property
    def ec2(self) -> Any:
        return self._client("ec2")

    @cached_property
    def iam(self) -> IAMClient:
        client: IAMClient = self._client("iam")
        return client

    @cached_property
    def lambda_(self) -> LambdaClient:
        client: LambdaClient = self._client("lambda")
        return client

    @cached_property
    def logs(self) -> CloudWatchLogsClient:
        client: CloudWatchLogsClient = self._client("logs")
        return client

    @cached_property
    def rds(self) -> RDSClient:
        client: RDSClient = self._client("rds")
        return client

    @cached_property
    def route53(self) -> Route53Client:
        client: Route53Client = self._client("route53")
        return client

    @cached_property
    def s3(self) -> S3Client:
        client: S3Client = self._client("s3")
        return client

    @cached_property
    def s3_signer(self) -> S3Client:
        """Signs addresses for others to PUT to. SigV4 covers every header, boto3's default for it
        does not; and the global host would redirect, which the signature does not survive.
        https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html#VirtualHostingBackwardsCompatibility
        """
        from botocore.config import Config

        local = bool(self.access.endpoint_url)
        client: S3Client = self._session.client(
            "s3",
            region_name=self.region,
            endpoint_url=self.access.endpoint_url,
            # The emulator's own: of all signatures, it checks those of addresses.
            aws_access_key_id="test" if local else None,
            aws_secret_access_key="test" if local else None,
            config=Config(
                signature_version="s3v4",
                s3={"addressing_style": "path" if local else "virtual"},
            ),
        )
        return client

    @cached_property
    def service_quotas(self) -> ServiceQuotasClient:
        # Where those of CloudFront, and of its certificates, are told.
        client: ServiceQuotasClient = self._client("service-quotas", CLOUDFRONT_REGION)
        return client

    @cached_property
    def sts(self) -> STSClient:
        client: STSClient = self._client("sts")
        return client

    def object_store(self, bucket_name: str) -> S3Store:
        """The bucket through obstore, for many reads at once, where boto3 is ten times slower."""
        from obstore.store import S3Store

        frozen = self._credentials.get_frozen_credentials()
        options: dict[str, Any] = {
            "region": self.region,
            "access_key_id": frozen.access_key,
            "secret_access_key": frozen.secret_key,
        }
        if frozen.token:
            options["session_token"] = frozen.token
        if self.access.endpoint_url:
            options |= {"endpoint": self.access.endpoint_url, "virtual_hosted_style_request": False}
        return S3Store(
            bucket_name, client_options={"allow_http": bool(self.access.endpoint_url)}, **options
        )

    def bucket_address(self, bucket_name: str) -> BucketAddress:
        """For uploads, which go through libcurl (adr 0008)."""
        endpoint = self.access.endpoint_url
        url = (
            f"{endpoint}/{bucket_name}"
            if endpoint
            else self.s3.meta.endpoint_url.replace("://", f"://{bucket_name}.", 1)
        )
        return BucketAddress(url, self.region, self._credentials.get_frozen_credentials)

    @cached_property
    def _credentials(self) -> Credentials:
        credentials: Credentials | None = self._session.get_credentials()
        if credentials is None:
            raise LookupError("no AWS credentials found; set AWS_PROFILE or AWS_ACCESS_KEY_ID")
        return credentials


@cache
def _descriptions() -> Loader:
    """AWS's descriptions of its services: read once for all sessions, for to read them is nine
    tenths of what it takes to make a client."""
    from botocore.session import Session

    loader: Loader = Session().get_component("data_loader")
    return loader


def new_session(
    region: str, key_id: str | None = None, secret: str | None = None, token: str | None = None
) -> boto3.Session:
    """Without a key, with the credentials that boto3 finds by itself."""
    import boto3
    from botocore.session import Session

    session = Session()
    session.register_component("data_loader", _descriptions())
    found = boto3.Session(key_id, secret, token, region, botocore_session=session)
    # Each session adds the path of boto3's resources, of which none is used.
    _descriptions().search_paths.pop()
    return found


def create_only_once(
    operation: OperationModel, caught_exception: Exception | None = None, **_: Any
) -> None:
    """A create whose answer was lost may have been done: it is looked for, not sent again.

    botocore sends it again (https://github.com/boto/botocore/issues/1768).
    """
    creates = operation.name.startswith(("Create", "Request"))
    if creates and caught_exception is not None and was_answer_lost(caught_exception):
        raise caught_exception


def raise_if_garbled(exception: Exception, **_: Any) -> None:
    """botocore's own error for it is none of its ``BotoCoreError``."""
    from botocore.parsers import ResponseParserError

    if isinstance(exception, ResponseParserError):
        raise AnswerGarbled(error=exception) from exception


def was_answer_lost(error: Exception) -> bool:
    """Whether the call may have been done though nobody knows."""
    return isinstance(error, ReadTimeoutError | ConnectionClosedError | AnswerGarbled)


def error_code(error: Exception) -> str:
    """AWS's own code of the error, such as ``NoSuchBucket``; empty when AWS did not answer."""
    if not isinstance(error, ClientError):
        return ""
    return error.response.get("Error", {}).get("Code", "")


def is_permanent(error: Exception) -> bool:
    """Whether trying the same call again is pointless. Unreachable and busy are not permanent."""
    if isinstance(error, ParamValidationError):
        return True
    if not isinstance(error, ClientError):
        return False
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return error_code(error) not in TRANSIENT_CODES and status < 500
