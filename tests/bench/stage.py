"""Our upload stage as one process: manifest, comparison with the last one, upload.

What ``deploy_site`` does before the index, without its database: the last manifest is in a file.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, NamedTuple

from deployments.files.stat_cache import StatCache
from deployments.manifest import Manifest, build
from deployments.upload import upload


class Keys(NamedTuple):
    access_key: str = "local"
    secret_key: str = "local"
    token: str = ""


class Address(NamedTuple):
    """As ``cloudadmin.aws.BucketAddress``, without what an SDK takes to start."""

    url: str
    region: str = "us-east-1"
    credentials: Any = Keys


def main(root: Path, endpoint: str, bucket: str, state: Path) -> None:
    before = state / f"{bucket}.manifest"
    known = Manifest.from_bytes(before.read_bytes() if before.exists() else b"")
    manifest = build(root, cache=StatCache(state / f"{bucket}.stat"))
    missing = {
        path: entry for path, entry in manifest.entries.items() if known.entries.get(path) != entry
    }
    address: Any = Address(f"{endpoint}/{bucket}")
    upload(address, root, missing)
    before.write_bytes(manifest.to_bytes())


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], Path(sys.argv[4]))
