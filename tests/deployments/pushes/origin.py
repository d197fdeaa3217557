"""A repository to push to, and GitHub's word of a push."""

from __future__ import annotations

import hashlib
import hmac
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

IDENTITY = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")


@dataclass
class Origin:
    """A bare repository in ``folder``, and a clone of it beside."""

    folder: Path
    clone: Path

    @property
    def url(self) -> str:
        return f"file://{self.folder}"

    def push(self, files: dict[str, str], branch: str = "main") -> str:
        """Commit these files and push them; the commit's number."""
        self.git("checkout", "-q", "-B", branch)
        for path, content in files.items():
            (self.clone / path).parent.mkdir(parents=True, exist_ok=True)
            (self.clone / path).write_text(content)
        self.git("add", "--all")
        self.git(*IDENTITY, "commit", "-q", "-m", "Spring")
        self.git("push", "-q", "--force", "origin", branch)
        return self.git("rev-parse", "HEAD").strip()

    def git(self, *words: str) -> str:
        done = subprocess.run(
            ["git", *words], cwd=self.clone, check=True, capture_output=True, text=True
        )
        return done.stdout


def make_origin(folder: Path) -> Origin:
    origin = Origin(folder / "origin.git", folder / "clone")
    subprocess.run(["git", "init", "-q", "--bare", origin.folder], check=True)
    subprocess.run(
        ["git", "clone", "-q", origin.folder, origin.clone], check=True, capture_output=True
    )
    return origin


def pushed(sha: str, ref: str = "refs/heads/main", **more: Any) -> bytes:
    """https://docs.github.com/en/webhooks/webhook-events-and-payloads#push, in short."""
    return json.dumps(
        {
            "ref": ref,
            "before": "0" * 40,
            "after": sha,
            "deleted": not sha.strip("0"),
            "repository": {"full_name": "acme/shop"},
            "pusher": {"name": "ada"},
            "head_commit": {"message": "Spring\n\nMore words.", "author": {"name": "Ada"}},
            **more,
        }
    ).encode()


def signed(secret: str, body: bytes) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
