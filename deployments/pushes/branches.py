"""Where a branch is now. Webhooks come in any order, and its repository alone knows the last."""

from __future__ import annotations

import time

from django.conf import settings

from deployments.source import SourceRefused
from deployments.source.git_program import Git, GitFailed
from deployments.source.remote import parse
from deployments.source.rules import Limits
from deployments.source.workplace import workplace

# One question, and an answer of a line.
LIMITS = Limits(seconds=60)
# The same for a person who waits for it.
QUICK = Limits(seconds=15)


def head(url: str, branch: str) -> str:
    """The commit that ``branch`` leads to, "" when there is no such branch. Raises SourceRefused.

    https://git-scm.com/docs/git-ls-remote
    """
    name = f"refs/heads/{branch}"
    # A pattern: it finds branches too whose names end like this one.
    rows = (line.split("\t") for line in _listed(url, name, LIMITS).splitlines())
    return next((row[0] for row in rows if row[1:] == [name]), "")


def raise_if_silent(url: str) -> None:
    """Raises SourceRefused when there is no such repository, or it does not let us in."""
    if not _listed(url, "HEAD", QUICK):
        raise SourceRefused(f"{url} is an empty repository; push something to it first.")


def _listed(url: str, name: str, limits: Limits) -> str:
    schemes = tuple(settings.CLOUDADMIN_GIT_SCHEMES)
    try:
        with workplace() as work:
            remote = parse(url, schemes)
            git = Git(
                work / "1",
                remote,
                watched=work,
                schemes=schemes,
                limits=limits,
                deadline=time.monotonic() + limits.seconds,
            )
            return git.output("ls-remote", "--", remote.url, name)
    except GitFailed as failed:
        raise SourceRefused(
            f"{url} cannot be asked for its branches: git says: {failed}."
        ) from None
    except SourceRefused as refused:
        raise SourceRefused(f"{url} cannot be asked for its branches: {refused}") from None
