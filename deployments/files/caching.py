"""For how long a file is kept by browsers and by the edge, told by its name."""

from __future__ import annotations

import re
from itertools import pairwise

from deployments.files.content_types import suffix_of

IMMUTABLE = "public, max-age=31536000, immutable"
# Safe although the edge keeps it for a year: the address that it caches holds the object's hash.
REVALIDATED = "public, max-age=0, s-maxage=31536000, must-revalidate"

CODE = frozenset(["js", "mjs", "cjs", "css", "wasm", "map", "woff", "woff2", "ttf", "otf", "ttc"])
PAGES = frozenset(["html", "htm", "xhtml"])
# Folders in which Astro, Next.js and SvelteKit put nothing but files named after their content.
IMMUTABLE_FOLDERS = re.compile(r"(?:^|/)(?:_app/immutable|_astro|_next/static)/")
HEX_HASH = re.compile(r"(?=.*[0-9])(?=.*[a-f])[0-9a-f]{8,64}")
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
MIXED_HASH = re.compile(r"(?=.*[0-9])(?=.*[A-Z])[0-9A-Za-z]{8,32}")


def cache_control(path: str) -> str:
    return IMMUTABLE if is_fingerprinted(path) else REVALIDATED


def is_fingerprinted(path: str) -> bool:
    """Whether the name holds a hash of the content, so that the file can never change.

    A name taken for a hash by mistake would be kept by browsers for a year, a hash that is missed
    costs a question: so dates, versions and words with a digit are not hashes. Mixed case (Vite,
    esbuild) counts for code alone: ``IMG1234A.jpg`` is a photo.
    """
    name = path.rpartition("/")[2]
    suffix = suffix_of(name)
    if suffix in PAGES:
        return False
    if IMMUTABLE_FOLDERS.search(path):
        return True
    if UUID.search(path):
        return False
    parts = re.split(r"[.\-_~]", name)[:-1]
    if any(HEX_HASH.fullmatch(part) for n, part in enumerate(parts) if n or len(part) >= 16):
        return True
    return suffix in CODE and any(map(_looks_random, parts[1:]))


def survives(path: str) -> bool:
    """Whether a file that a release no longer has stays for tabs that are still open.

    What only pages load does; pages, documents and images that were deleted are gone at once.
    """
    return suffix_of(path.rpartition("/")[2]) in CODE or is_fingerprinted(path)


def _looks_random(part: str) -> bool:
    kinds = ["0" if c.isdigit() else "A" if c.isupper() else "a" for c in part]
    changes = sum(one != other for one, other in pairwise(kinds))
    return MIXED_HASH.fullmatch(part) is not None and changes >= 3
