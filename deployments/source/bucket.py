"""The objects under a prefix of a bucket, downloaded once every key was judged."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import BaseError

from cloudadmin.aws import ClientError, error_code
from deployments.source.rules import Entries, Limits, SourceRefused

if TYPE_CHECKING:
    from obstore.store import S3Store

    from cloudadmin.aws import Clients

SCHEME = "s3://"
AT_ONCE = 16
CHUNK = 1024**2
REFUSALS = {
    "NoSuchBucket": "there is no such bucket",
    "AccessDenied": "the account's role may not list it (s3:ListBucket, s3:GetObject)",
    "PermanentRedirect": "the bucket is in another region than the account's",
}


def download(source: str, target: Path, clients: Clients | None, limits: Limits) -> None:
    """Write what is under ``s3://bucket/prefix`` into ``target``, named from the prefix on.

    Raises SourceRefused, before anything is written if a key is not welcome; ClientError.
    """
    if clients is None:
        raise SourceRefused("a bucket is read with the rights of a site's account; none is here.")
    bucket, _, prefix = source.removeprefix(SCHEME).partition("/")
    if not bucket:
        raise SourceRefused("name a bucket, and a folder in it: s3://bucket/folder.")
    prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
    try:
        wanted = _judged(clients, bucket, prefix, limits)
    except ClientError as error:
        if reason := REFUSALS.get(error_code(error)):
            raise SourceRefused(f"{reason}.") from error
        raise
    _Download(clients.object_store(bucket), prefix, target, limits).run(wanted)


def _judged(clients: Clients, bucket: str, prefix: str, limits: Limits) -> dict[str, int]:
    """Path -> size of what to download."""
    entries = Entries(limits)
    wanted: dict[str, int] = {}
    for page in clients.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for found in page.get("Contents", []):
            path = found["Key"][len(prefix) :]
            # What consoles make in place of folders.
            if path.endswith("/") or not path:
                continue
            if entries.admit(path, found["Size"]):
                wanted[path] = found["Size"]
    entries.close()
    return wanted


class _Download:
    def __init__(self, store: S3Store, prefix: str, target: Path, limits: Limits) -> None:
        self.store, self.prefix, self.target, self.limits = store, prefix, target, limits
        self.deadline = time.monotonic() + limits.seconds

    def run(self, wanted: dict[str, int]) -> None:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            try:
                for _ in pool.map(self._get, wanted.keys(), wanted.values()):
                    pass
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise

    def _get(self, path: str, size: int) -> None:
        file = self.target / path
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            with file.open("xb") as target:
                for chunk in obstore.get(self.store, self.prefix + path).stream(CHUNK):
                    target.write(chunk)
                    self._judge_time()
                written = target.tell()
        except (BaseError, FileNotFoundError) as error:
            # obstore's first line is S3's answer, XML and all.
            reason = str(error).splitlines()[0].partition(": <")[0]
            raise SourceRefused(f"“{path}” did not come: {reason}.") from error
        if written != size:
            raise SourceRefused(f"“{path}” changed while it was downloaded; deploy again.")

    def _judge_time(self) -> None:
        if time.monotonic() > self.deadline:
            raise SourceRefused(f"not all was here after {self.limits.seconds} seconds.")
