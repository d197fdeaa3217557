"""Which paths may be published."""

from __future__ import annotations

import re

# objects/<hash>/ takes 31 bytes of the 1,024 of a key.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
MAX_PATH_BYTES = 900
MAX_NAME_BYTES = 255

JUNK = frozenset({"__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini"})
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
DRIVE = re.compile(r"[A-Za-z]:")
# Folders of a site that a release has no say in (DESIGN section 5).
RESERVED = {
    "data": "“data/” belongs to the site's functions; a release never touches it.",
    "_cloudadmin": "“_cloudadmin/” is where the site's counter answers.",
}
SECRET_FOLDERS = frozenset({".git", ".svn", ".hg", ".aws", ".ssh", ".gnupg", ".kube"})
SECRET_NAME = re.compile(
    r"\.env.*"
    r"|\.(?:git-credentials|htpasswd|netrc|npmrc|pgpass|pypirc|vault_pass)"
    r"|id_(?:rsa|dsa|ecdsa|ed25519)"
    r"|.*\.(?:p12|pfx|kdbx|tfstate)",
    re.IGNORECASE,
)
KEY_NAME = re.compile(r".*\.(?:pem|key|ppk)", re.IGNORECASE)
KEY_HEADER = re.compile(rb"PRIVATE KEY-----|PuTTY-User-Key-File")
KEY_HEADER_WITHIN = 4096


class SourceRefused(Exception):
    """The source cannot be deployed. The message says which entry, why, and what to try."""


def is_junk(path: str) -> bool:
    """What file managers leave behind; it is passed over."""
    return any(part in JUNK or part.startswith("._") for part in path.split("/"))


def judge(path: str) -> None:
    """Refuse a path, relative and with slashes, that must not or cannot be published."""
    shown = path.encode("unicode_escape").decode() if CONTROL.search(path) else path
    if CONTROL.search(path):
        raise SourceRefused(f"“{shown}”: a name with control characters; rename the file.")
    if path.startswith("/") or DRIVE.match(path):
        raise SourceRefused(f"“{path}”: an absolute name; pack the files with relative names.")
    if "\\" in path:
        raise SourceRefused(f"“{path}”: a name with a backslash; use slashes between folders.")
    parts = path.split("/")
    if not all(parts) or {".", ".."} & set(parts):
        raise SourceRefused(f"“{path}”: a name with “..”, “.” or an empty part; pack it anew.")
    if len(path.encode()) > MAX_PATH_BYTES or max(map(_bytes, parts)) > MAX_NAME_BYTES:
        raise SourceRefused(
            f"“{path[:60]}…”: longer than {MAX_PATH_BYTES} bytes, or {MAX_NAME_BYTES} in one name, "
            "which a bucket cannot hold; shorten it."
        )
    if parts[0] in RESERVED:
        raise SourceRefused(f"“{path}”: {RESERVED[parts[0]]} Call the folder something else.")
    judge_secrecy(path)


def judge_secrecy(path: str) -> None:
    """Refuse by name what would publish a secret."""
    for part in path.split("/"):
        if part.lower() in SECRET_FOLDERS or SECRET_NAME.fullmatch(part):
            raise SourceRefused(
                f"“{path}” would be public: {part} belongs to the workshop, not to the site. "
                "Deploy the build's output folder, or remove it from there."
            )


def judge_key(path: str, beginning: bytes) -> None:
    """Refuse a private key: ``beginning`` is the first 4 KB of a file whose name suggests one."""
    if KEY_HEADER.search(beginning):
        raise SourceRefused(
            f"“{path}” is a private key; remove it, and replace the key if it leaked."
        )


def _bytes(part: str) -> int:
    return len(part.encode())
