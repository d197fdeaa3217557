"""Where a commit is to be seen, at hosts whose addresses are known."""

from __future__ import annotations

import re

from deployments.models import Deployment

# Host -> what comes between the repository and the commit.
PAGES = {
    "github.com": "commit",
    "gitlab.com": "-/commit",
    "bitbucket.org": "commits",
    "codeberg.org": "commit",
}
# https://host/owner/name.git, ssh://git@host/owner/name, git@host:owner/name
ADDRESS = re.compile(
    r"(?:https://(?:[^/@\s]*@)?|ssh://git@|git@)(?P<host>[a-z.]+)(?::443)?[:/]"
    r"(?P<name>[\w.-]+(?:/[\w.-]+)*/[\w.-]+?)(?:\.git)?/?(?:#.*)?"
)
SHA = re.compile(r"[0-9a-f]{7,64}")


def commit_url(deployment: Deployment, repository: str = "") -> str:
    """``repository`` is the address of the site's own; "" when the host is not known."""
    if not SHA.fullmatch(deployment.sha):
        return ""
    for address in (deployment.source, repository):
        match = ADDRESS.fullmatch(address)
        if match and match["host"] in PAGES:
            host = match["host"]
            return f"https://{host}/{match['name']}/{PAGES[host]}/{deployment.sha}"
    return ""
