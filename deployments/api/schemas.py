"""The shapes that go in and out."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from ninja import Field, Schema
from pydantic import StringConstraints

from deployments import lane, previews
from deployments.models import Deployment, DeploymentEvent, Invalidation, Scope
from deployments.target import address
from sites.models import Site

# No control characters but tabs: a database cannot hold NUL, and a list cannot show the others.
PLAIN = r"^[^\x00-\x08\x0a-\x1f\x7f]*$"
HASH = r"^[0-9a-f]{64}$"
LABEL = r"^[a-z0-9-]*$"
MOST_FILES = 100_000
# What one PUT can send. https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
MOST_BYTES = 5 * 1024**3

Line = Annotated[str, StringConstraints(max_length=255, pattern=PLAIN)]
Message = Annotated[str, StringConstraints(max_length=500, pattern=PLAIN)]
FilePath = Annotated[str, StringConstraints(min_length=1, max_length=900, pattern=PLAIN)]
Label = Annotated[str, StringConstraints(max_length=63, pattern=LABEL)]


class Options(Schema):
    """What a deployment is of, beside its files."""

    environment: Deployment.Environment = Deployment.Environment.PRODUCTION
    label: Label = Field("", description="Of a preview's host name; empty: the branch's.")
    ref: Line = Field("", description="Branch or tag.")
    sha: Annotated[str, StringConstraints(pattern=r"^(?:[0-9a-f]{40}|[0-9a-f]{64})?$")] = ""
    author: Annotated[str, StringConstraints(max_length=200, pattern=PLAIN)] = ""
    message: Message = ""
    allow: list[FilePath] = Field(
        [], max_length=100, description="Paths that look secret and are none."
    )


class FileIn(Schema):
    path: FilePath = Field(description="As in “css/site.css”.")
    sha256: Annotated[str, StringConstraints(pattern=HASH)]
    size: int = Field(ge=0, le=MOST_BYTES)


class ManifestIn(Options):
    """All files of the release, whether the bucket has them or not."""

    files: list[FileIn] = Field(min_length=1, max_length=MOST_FILES)
    headers: str = Field("", max_length=256_000, description="The content of “_headers”.")
    redirects: str = Field("", max_length=256_000, description="The content of “_redirects”.")


class LockIn(Schema):
    reason: Annotated[str, StringConstraints(min_length=1, max_length=300, pattern=PLAIN)]
    hours: float | None = Field(None, gt=0, le=24 * 365, description="None: until it is unlocked.")


class RollbackIn(Schema):
    number: int | None = Field(None, ge=1, description="None: the one before the published one.")


class PathsIn(Schema):
    paths: list[Annotated[str, StringConstraints(min_length=1, max_length=4000)]] = Field(
        min_length=1, max_length=3000
    )


class IdentityIn(Schema):
    site: Line
    token: str = Field(min_length=1, max_length=20_000, description="GitHub's identity token.")


class TokenOut(Schema):
    name: str
    site: str = Field(alias="site.name")
    scopes: list[Scope]
    expires_at: datetime


class IssuedOut(TokenOut):
    token: str


class DeploymentOut(Schema):
    number: int
    state: Deployment.State
    phase: Deployment.Phase
    environment: Deployment.Environment
    trigger: Deployment.Trigger
    is_published: bool
    is_previewed: bool
    url: str = Field(description="Where it is served; empty when it is not.")
    label: str
    ref: str
    sha: str
    author: str
    message: str = Field(alias="description")
    source: str
    files: int
    uploaded: int
    unchanged: int
    deleted: int
    bytes: int
    objects_total: int
    bytes_total: int
    warnings: list[str]
    error: str = Field(alias="error_message")
    place: int | None = Field(description="How many are before it in the queue.")
    created_at: datetime
    published_at: datetime | None
    finished_at: datetime | None
    expires_at: datetime | None

    @staticmethod
    def resolve_url(row: Deployment) -> str:
        if row.is_previewed:
            return previews.url_of(row)
        return address(row.site) if row.is_published else ""

    @staticmethod
    def resolve_place(row: Deployment) -> int | None:
        return lane.place(row) if row.phase == Deployment.Phase.QUEUE else None


class DeploymentsOut(Schema):
    items: list[DeploymentOut]
    next: int | None = Field(description="Pass it as “before” for the next page; None at the end.")


class StepOut(Schema):
    phase: Deployment.Phase
    title: str
    state: str = Field(description="done, in_progress, waiting, or failed.")
    seconds: float | None


class LineOut(Schema):
    """A line of the log, as its page and `deploy_site` show it."""

    id: int = Field(alias="pk", description="Pass the last one as “after” for what comes next.")
    at: datetime
    phase: Deployment.Phase
    level: DeploymentEvent.Level
    text: str


class LogOut(Schema):
    """How far a deployment is, and what was said on the way."""

    number: int
    state: Deployment.State
    steps: list[StepOut]
    objects: int
    objects_total: int
    bytes: int
    bytes_total: int
    warnings: list[str]
    error: str
    lines: list[LineOut] = Field(description="Gone with the files of the deployment.")


class UploadOut(Schema):
    """One PUT, with exactly these headers and these bytes; everything else is refused by S3."""

    path: str
    url: str
    headers: dict[str, str]


class UploadsOut(Schema):
    uploads: list[UploadOut]
    expires_at: datetime
    next: str | None = Field(description="Pass it as “after” for the next page; None at the end.")


class NegotiatedOut(UploadsOut):
    deployment: DeploymentOut


class PreviewOut(Schema):
    label: str
    url: str
    deployment: int = Field(alias="number")
    ref: str
    expires_at: datetime | None

    @staticmethod
    def resolve_url(row: Deployment) -> str:
        return previews.url_of(row)


class InvalidationOut(Schema):
    id: int = Field(alias="pk")
    paths: list[str]
    status: Invalidation.Status
    error: str = Field(alias="error_message")
    created_at: datetime
    completed_at: datetime | None


class LockOut(Schema):
    reason: str = Field(alias="lock_reason")
    owner: str = Field(alias="locked_by")
    since: datetime | None = Field(alias="locked_at")
    until: datetime | None = Field(alias="locked_until")


class CertificateOut(Schema):
    domains: list[str]
    status: str = Field(description="ACM's word, as in ISSUED or PENDING_VALIDATION.")
    expires_at: datetime | None
    problem: str = Field(
        description="Why AWS does not renew it, and what to do; empty when it does by itself."
    )


class SiteOut(Schema):
    name: str
    # Written out: by its class it would have the name of the deployments' states.
    state: str = Field(json_schema_extra={"enum": list(Site.State.values)})
    url: str
    hosts: list[str]
    certificates: list[CertificateOut]
    deployment: int | None = Field(description="The published one.")
    lock: LockOut | None
    held_back: str = Field(description="Why nothing is published by itself; empty when it is.")


def reference(name: str | type[Schema]) -> str:
    """Where the documentation has a shape."""
    return f"#/components/schemas/{name if isinstance(name, str) else name.__name__}"


def page(rows: list[Any], size: int) -> tuple[list[Any], Any]:
    """``rows`` has one more than fits, if there are more; the last that fits is the key."""
    return rows[:size], rows[size - 1] if len(rows) > size else None
