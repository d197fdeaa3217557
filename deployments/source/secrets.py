"""What would be public and must not be: by its name, and by what is in it.

Only what is certain is refused: a guard that cries wolf is switched off. A secret itself is never
repeated, neither in a message nor in a log.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path, PurePosixPath

from deployments.source.rules import SourceRefused

SECRET_FOLDERS = frozenset({".git", ".svn", ".hg", ".aws", ".ssh", ".gnupg", ".kube"})
SECRET_NAME = re.compile(
    r"\.env(?!\.(?:dist|example|sample|template)\Z).*"
    r"|\.(?:git-credentials|htpasswd|netrc|npmrc|pgpass|pypirc|vault_pass)"
    r"|id_(?:rsa|dsa|ecdsa|ed25519)"
    r"|wp-config\.php"
    r"|.*\.(?:p12|pfx|kdbx|tfstate)",
    re.IGNORECASE,
)
# Most names can be told from these by one look.
PERHAPS_SECRET = re.compile(
    r"(?:^|/)(?:\.|id_|wp-)|\.(?:p12|pfx|kdbx|tfstate)(?:/|$)", re.IGNORECASE
)
KEY_NAME = re.compile(r".*\.(?:pem|key|ppk)", re.IGNORECASE)
KEY_HEADER = re.compile(rb"PRIVATE KEY-----|PuTTY-User-Key-File")
KEY_HEADER_WITHIN = 4096

# Looked into, in this order: where secrets mostly are, then scripts, then pages.
TEXTS = {
    suffix: rank
    for rank, suffixes in enumerate(
        (
            "asc cfg conf csv ini json log md php properties py rb sh sql toml txt xml yaml yml",
            "cjs js jsx map mjs ts tsx",
            "htm html xhtml",
        )
    )
    for suffix in suffixes.split()
}
LARGEST_TEXT = 1024**2
# A site of a hundred thousand pages is not held up for them; its settings and scripts come first.
MOST_TEXTS = 5_000
MOST_BYTES = 48 * 1024**2

TOKENS = re.compile(
    rb"-----BEGIN (?P<key>(?:[A-Z0-9]+ )*PRIVATE KEY)(?: BLOCK)?-----(?:\\[nr]|[\s\"'+,]){0,40}"
    rb"(?:[A-Za-z-]+: [^\n]*\n\s{0,9}){0,9}(?:[A-Za-z0-9+/=]{16,}(?:\\[nr]|[\s\"'+,]){0,40}){2}"
    rb"|\b(?P<aws>AKIA[A-Z2-7]{16})\b"
    rb"|\b(?P<github>gh[ps]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59})\b"
    rb"|\b(?P<gitlab>glpat-[A-Za-z0-9_-]{20,})"
    rb"|\b(?P<npm>npm_[A-Za-z0-9]{36})\b"
    rb"|\b(?P<pypi>pypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{50,})"
    rb"|\b(?P<sendgrid>SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43})\b"
    rb"|\b(?P<slack>xox[abeprs]-[0-9]{8,13}-[A-Za-z0-9-]{20,})"
    rb"|hooks\.slack\.com/services/(?P<hook>T[A-Z0-9]{8,}/B[A-Z0-9]{8,}/[A-Za-z0-9]{24})"
    rb"|\b(?P<stripe>[rs]k_live_[A-Za-z0-9]{24,})"
)
# What every match of TOKENS has in it; looking for a word is a hundred times faster.
HINTS = (
    b"PRIVATE KEY",
    b"AKIA",
    b"ghp_",
    b"ghs_",
    b"github_pat_",
    b"glpat-",
    b"npm_",
    b"pypi-Ag",
    b"SG.",
    b"xox",
    b"hooks.slack",
    b"k_live_",
)
KINDS = {
    "key": "a private key",
    "aws": "an AWS access key with its secret",
    "github": "a GitHub token",
    "gitlab": "a GitLab token",
    "npm": "an npm token",
    "pypi": "a PyPI token",
    "sendgrid": "a SendGrid key",
    "slack": "a Slack token",
    "hook": "the address of a Slack webhook",
    "stripe": "a live Stripe key",
}
AWS_SECRET = re.compile(rb"(?<![A-Za-z0-9/+])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])")
AWS_SECRET_WITHIN = 400
# What a manual prints in a token's place repeats itself: “xxxx…”, “0000…”.
FEWEST_CHARACTERS = 12
EXAMPLE = re.compile(rb"EXAMPLE|1234567890|abcdefghij", re.IGNORECASE)

# Another one as soon as these judge otherwise; what passed before is looked into anew then.
JUDGES = repr((TEXTS, KEY_NAME.pattern, KEY_HEADER.pattern, TOKENS.pattern, AWS_SECRET.pattern))


@dataclass(frozen=True)
class Finding:
    """``reason`` goes on after the path: “.env belongs to the workshop, not to the site”."""

    path: str
    reason: str


def judge_secrecy(path: str) -> None:
    """Refuse by name what would publish a secret."""
    if reason := secret_name(path):
        raise SourceRefused(f"“{path}” would be public: {reason}; remove it from there.")


def judge_key(path: str, beginning: bytes) -> None:
    """Refuse a private key: ``beginning`` is the first 4 KB of a file whose name suggests one."""
    if KEY_HEADER.search(beginning):
        raise SourceRefused(
            f"“{path}” is a private key; remove it, and replace the key if it leaked."
        )


def secret_name(path: str) -> str:
    """Why a file of this name is a secret; empty for the others."""
    if PERHAPS_SECRET.search(path):
        for part in path.split("/"):
            if part.lower() in SECRET_FOLDERS or SECRET_NAME.fullmatch(part):
                return f"{part} belongs to the workshop, not to the site"
    return ""


def look_into(root: Path, paths: Iterable[str]) -> Iterator[Finding]:
    """Findings among the text files, a bounded amount of which is read."""
    left = MOST_BYTES
    for path in worth_a_look(paths):
        with open(os.path.join(root, path), "rb", buffering=0) as stream:
            content = stream.read(LARGEST_TEXT) or b""
        if finding := find(path, content):
            yield finding
        left -= len(content)
        if left < 0:
            return


def worth_a_look(paths: Iterable[str]) -> list[str]:
    """The text files, at most so many; those first where secrets mostly are."""
    ranked = [(rank, path) for path in paths if (rank := _rank(path)) is not None]
    ranked.sort(key=itemgetter(0))
    return [path for _, path in ranked[:MOST_TEXTS]]


def find(path: str, content: bytes) -> Finding | None:
    """The first secret in the first ``LARGEST_TEXT`` bytes of a file."""
    reason = _secret_in(path, content)
    return Finding(path, reason) if reason else None


def _rank(path: str) -> int | None:
    name = path.rpartition("/")[2]
    suffix = name.rpartition(".")[2].lower()
    return 0 if KEY_NAME.fullmatch(name) else TEXTS.get(suffix)


def _secret_in(path: str, content: bytes) -> str:
    """Kind and line of the first secret; empty where there is none."""
    if KEY_NAME.fullmatch(PurePosixPath(path).name) and KEY_HEADER.search(
        content, 0, KEY_HEADER_WITHIN
    ):
        return "it is a private key"
    if not any(hint in content for hint in HINTS):
        return ""
    for match in TOKENS.finditer(content):
        kind = match.lastgroup or ""
        if _is_real(kind, match, content):
            line = content.count(b"\n", 0, match.start()) + 1
            return f"line {line} holds {KINDS[kind]}"
    return ""


def _is_real(kind: str, match: re.Match[bytes], content: bytes) -> bool:
    token = match[0]
    if EXAMPLE.search(token) or len(set(token)) < FEWEST_CHARACTERS:
        return False
    if kind != "aws":
        return True
    near = content[max(0, match.start() - AWS_SECRET_WITHIN) : match.end() + AWS_SECRET_WITHIN]
    return any(_is_aws_secret(secret) for secret in AWS_SECRET.findall(near))


def _is_aws_secret(text: bytes) -> bool:
    """Random, in both cases and with digits; a commit's number or a path is not."""
    kinds = (bytes.islower, bytes.isupper, bytes.isdigit)
    mixed = all(any(is_kind(text[n : n + 1]) for n in range(len(text))) for is_kind in kinds)
    return mixed and len(set(text)) >= 20 and not EXAMPLE.search(text)
