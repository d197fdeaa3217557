"""Our upload stage as one process: manifest, comparison with the last one, upload.

What ``deploy_site`` does before the index, without its database: the last manifest is in a file.
"""

from __future__ import annotations

import sys
from pathlib import Path

from obstore.store import S3Store

from deployments.manifest import Manifest, build
from deployments.stat_cache import StatCache
from deployments.upload import upload


def main(root: Path, endpoint: str, bucket: str, state: Path) -> None:
    before = state / f"{bucket}.manifest"
    known = Manifest.from_bytes(before.read_bytes() if before.exists() else b"")
    manifest = build(root, cache=StatCache(state / f"{bucket}.stat"))
    missing = {
        path: entry for path, entry in manifest.entries.items() if known.entries.get(path) != entry
    }
    store = S3Store(
        bucket,
        endpoint=endpoint,
        access_key_id="local",
        secret_access_key="local",
        region="us-east-1",
        virtual_hosted_style_request=False,
        client_options={"allow_http": True},
    )
    upload(store, root, missing)
    before.write_bytes(manifest.to_bytes())


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], Path(sys.argv[4]))
