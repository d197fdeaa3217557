"""Deploying by manifest: the client says what it has, and sends what the bucket lacks by itself.

The client holds the deployment, as a worker would, for an hour from its last page on; then the
row is taken back like a dead worker's. What was sent stays, and is not asked for again.
"""

from __future__ import annotations

import base64
from bisect import bisect_right
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from operator import itemgetter

from django.utils import timezone

from cloudadmin.aws import Clients
from deployments import operations
from deployments.api import arrivals
from deployments.api.schemas import FileIn, ManifestIn
from deployments.errors import DeploymentRefused
from deployments.files import injection
from deployments.files.caching import cache_control
from deployments.files.content_types import content_type
from deployments.manifest import Entry, Manifest, object_key
from deployments.models import Deployment
from deployments.progress import deciding
from deployments.rule_files import headers, redirects
from deployments.source import SourceRefused
from deployments.source.rules import Entries
from deployments.source.secrets import judge_secrecy
from deployments.source.tree import START_PAGE
from deployments.target import target_of
from sites.access import clients_for

HELD_FOR = timedelta(hours=1)
# An assumed role's credentials end after an hour, and those at hand may be half an hour old.
SIGNED_FOR = timedelta(minutes=25)
PAGE = 2_000
LOOKED_AT = 5_000

NOT_INJECTED = (
    "The counter's snippet was not put into the pages: a release that is sent by its hashes is "
    f"published as it is. Let the build put it before “</body>”: {injection.SNIPPET.decode()}"
)
RULE_FILES = {
    name: f"“{name}” is followed, not published; send its content as the field “{name[1:]}”."
    for name in (headers.FILE_NAME, redirects.FILE_NAME)
}

Phase = Deployment.Phase


@dataclass(frozen=True)
class Upload:
    path: str
    url: str
    headers: dict[str, str]


@dataclass(frozen=True)
class Uploads:
    """A page of what is missing; ``next`` is the path to ask after, None at the end."""

    uploads: list[Upload]
    expires_at: datetime
    next: str | None


def manifest_of(asked: ManifestIn) -> Manifest:
    """The release as the server sees it: content types and headers are its own decision.

    Raises SourceRefused.
    """
    judged = Entries()
    for file in asked.files:
        if reason := RULE_FILES.get(file.path):
            raise SourceRefused(reason)
        if not judged.admit(file.path, file.size):
            raise SourceRefused(f"“{file.path}” is what a file manager left behind; leave it out.")
        if file.path not in asked.allow:
            judge_secrecy(file.path)
    judged.close()
    rules = headers.parse(asked.headers)
    entries = {file.path: _entry(file, rules) for file in asked.files}
    if START_PAGE not in entries and START_PAGE not in asked.allow:
        raise SourceRefused(
            f"There is no “{START_PAGE}” at the top; send the paths as they are in the build's "
            f"output, or allow “{START_PAGE}” to be missing."
        )
    return Manifest(entries, redirects.parse(asked.redirects))


def hold(deployment: Deployment, manifest: Manifest) -> None:
    """Give a new deployment to the client."""
    if not deployment.claim(state=Deployment.State.IN_PROGRESS):
        raise DeploymentRefused(f"Deployment #{deployment.number} was taken over; deploy again.")
    # From here on, what it needs is not cleared away.
    with deciding(deployment.site):
        deployment.write(
            phase=Phase.UPLOAD,
            lease_until=timezone.now() + HELD_FOR,
            manifest=manifest.to_bytes(),
            files=len(manifest.entries),
            warnings=[NOT_INJECTED] if injection.is_wanted(deployment.site) else [],
        )
        lacking = operations.missing_objects(deployment.site, manifest)
    deployment.write(
        objects_total=len(lacking), bytes_total=sum(entry.size for entry in lacking.values())
    )


def uploads(deployment: Deployment, after: str = "") -> Uploads:
    """What the bucket lacks, of the paths after ``after``, signed; the client holds on."""
    deployment.write(lease_until=timezone.now() + HELD_FOR)
    clients = clients_for(deployment.site.account)
    bucket_name = target_of(deployment.site).bucket_name
    candidates = _candidates(deployment.pk, deployment.fence)
    start = bisect_right(candidates, after, key=itemgetter(0))
    looked_at = dict(candidates[start : start + LOOKED_AT])
    absent = arrivals.absent(clients.object_store(bucket_name), looked_at, PAGE)
    return Uploads(
        [_upload(clients, bucket_name, path, looked_at[path]) for path in absent],
        timezone.now() + SIGNED_FOR,
        _next(list(looked_at), absent),
    )


def finalize(deployment: Deployment) -> list[str]:
    """Hand the deployment to the workers, or return what is missing still: at most a page of it.

    Raises SourceRefused when a secret was sent, which is its end, and LeaseLost.
    """
    deployment.write(lease_until=timezone.now() + HELD_FOR)
    manifest = Manifest.from_bytes(bytes(deployment.manifest))
    store = clients_for(deployment.site.account).object_store(
        target_of(deployment.site).bucket_name
    )
    sent = operations.missing_objects(deployment.site, manifest)
    absent = arrivals.absent(store, sent, PAGE)
    if absent:
        return absent
    try:
        arrivals.judge(store, sent, deployment.allowed)
    except SourceRefused as refused:
        operations.fail(deployment, str(refused))
        raise
    operations.uploaded(deployment, manifest, len(sent), sum(entry.size for entry in sent.values()))
    deployment.release()
    return []


@lru_cache(maxsize=2)
def _candidates(pk: int, fence: int) -> list[tuple[str, Entry]]:
    """What the client may have to send, sorted by path: read once for all pages of a deployment.

    Held, it does not change, and what it needs is not cleared away; others may add to the bucket.
    """
    deployment = Deployment.objects.select_related("site").get(pk=pk)
    manifest = Manifest.from_bytes(bytes(deployment.manifest))
    return sorted(operations.missing_objects(deployment.site, manifest).items())


def _entry(file: FileIn, rules: headers.Rules) -> Entry:
    """As ``manifest.build`` makes it of a file that is here."""
    rule = rules.rules_for(file.path)
    return Entry(
        file.sha256,
        file.size,
        rule.content_type or content_type(file.path),
        rule.cache_control or cache_control(file.path),
        rule.headers,
    )


def _next(looked_at: list[str], absent: list[str]) -> str | None:
    if len(absent) >= PAGE:
        return absent[-1]
    return looked_at[-1] if len(looked_at) == LOOKED_AT else None


def _upload(clients: Clients, bucket_name: str, path: str, entry: Entry) -> Upload:
    """Every header is signed, the checksum among them: no other bytes fit under this address."""
    checksum = base64.b64encode(bytes.fromhex(entry.sha256)).decode()
    sent, parameters = {"x-amz-checksum-sha256": checksum}, {"ChecksumSHA256": checksum}
    metadata: dict[str, str] = {}
    for name, value in entry.attributes.items():
        if name[0].isupper():  # HTTP's own; the others are the object's metadata
            sent[name] = parameters[name.replace("-", "")] = value
        else:
            sent[f"x-amz-meta-{name}"] = metadata[name] = value
    url = clients.s3_signer.generate_presigned_url(
        "put_object",
        Params={
            "Bucket": bucket_name,
            "Key": object_key(path, entry),
            "ContentLength": entry.size,
            "Metadata": metadata,
            **parameters,
        },
        ExpiresIn=int(SIGNED_FOR.total_seconds()),
    )
    return Upload(path, url, sent)
