"""Errors for people: where, what AWS said, what to try."""

from __future__ import annotations

from cloudadmin.aws import BotoCoreError, ClientError, error_code, is_permanent

SUGGESTIONS = {
    "AccessDenied": "Give the account's role the permission that AWS names.",
    "AccessDeniedException": "Give the account's role the permission that AWS names.",
    "UnauthorizedOperation": "Give the account's role the permission that AWS names.",
    "BucketAlreadyExists": "Another AWS account owns that bucket name; create the site anew.",
    "CNAMEAlreadyExists": "Another distribution has that domain: remove it there, then try again.",
    "ExpiredToken": "The credentials ran out; renew them.",
    "InvalidClientTokenId": "AWS does not know these credentials; check the account's role.",
    "InvalidChangeBatch": "A record of that name is in the hosted zone already; delete it there.",
    "LimitExceededException": "Ask AWS for a higher quota, under Service Quotas.",
    "TooManyDistributions": "Ask AWS for more distributions, under Service Quotas, CloudFront.",
    "TooManyFunctions": "Ask AWS for more functions, under Service Quotas, CloudFront.",
    "TooManyBuckets": "Ask AWS for more buckets, under Service Quotas, S3.",
    "InvalidViewerCertificate": "The certificate must be issued, in us-east-1, for every domain.",
}
NOT_OURS = "Delete or rename it on AWS when nobody needs it, then provision again."
PERMANENT = "Correct what AWS names, then provision again."
TRANSIENT = "Once more in a minute; such a fault usually passes by itself."


class ProvisioningError(Exception):
    """Whatever stops provisioning and can be told to the person who asked for it."""


class NotYet(ProvisioningError):
    """What is wanted of another resource is not known yet."""

    def __init__(self, logical_id: str) -> None:
        super().__init__(f"{logical_id} is not there yet")
        self.logical_id = logical_id


class UnsafePlan(ProvisioningError):
    """The plan would remove what cannot be brought back, and nobody named it."""


class PlanChanged(ProvisioningError):
    """The world moved since the plan was shown."""


class ResourceGaveUp(ProvisioningError):
    """AWS tried and will not succeed: a certificate that was refused, a database that failed."""


class NotOurs(ProvisioningError):
    """Something has the name already, and its tags say that it belongs to somebody else."""


class ResourceFailed(ProvisioningError):
    """One verb of one resource failed. ``permanent`` decides whether it is tried again."""

    def __init__(self, logical_id: str, action: str, cause: Exception) -> None:
        self.logical_id = logical_id
        self.action = action
        self.cause = cause
        self.permanent = isinstance(cause, ResourceGaveUp | NotOurs) or is_permanent(cause)
        super().__init__(f"{logical_id}.{action}: {self.said} Try: {self.suggestion}")

    @property
    def said(self) -> str:
        match self.cause:
            case ClientError():
                message = self.cause.response.get("Error", {}).get("Message", "")
                return f"AWS said {error_code(self.cause)}: {message.rstrip('.')}."
            case BotoCoreError():
                return f"The call did not get through: {str(self.cause).rstrip('.')}."
            case _:
                return f"{str(self.cause).rstrip('.')}."

    @property
    def suggestion(self) -> str:
        if isinstance(self.cause, NotOurs):
            return NOT_OURS
        code = error_code(self.cause) if isinstance(self.cause, ClientError) else ""
        return SUGGESTIONS.get(code, PERMANENT if self.permanent else TRANSIENT)
