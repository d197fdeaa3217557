"""What previews are called: the first label of their host names."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deployments.models import Deployment

LENGTH, DIGITS = 40, 6
OF_DEPLOYMENT = re.compile(r"d[0-9]+")


def label_of(branch: str) -> str:
    """``feature/Login`` -> ``feature-login``, at most 40 characters.

    Where a name was cut or has other letters, six digits of its hash tell it from others like it;
    so they do where it reads as the label of a deployment.
    """
    text = branch.lower()
    slug = re.sub(r"[^a-z0-9]+", "-", text).strip("-")
    is_whole = len(slug) <= LENGTH and re.fullmatch(r"[a-z0-9/_.-]+", text) is not None
    if is_whole and slug and not OF_DEPLOYMENT.fullmatch(slug):
        return slug
    digest = hashlib.sha256(branch.encode()).hexdigest()[:DIGITS]
    # Never the hash alone: it might read as the label of a deployment, too.
    return f"{slug[: LENGTH - DIGITS - 1].strip('-') or 'branch'}-{digest}"


def own_label(deployment: Deployment) -> str:
    """That of this deployment alone: it never shows another one."""
    return f"d{deployment.number}"


def hosts_of(deployment: Deployment, preview_domains: Iterable[str]) -> list[str]:
    """Every host name that may show a preview, its address first. That of a branch is the newest
    preview's, and goes back to the one before should that be taken back."""
    branch = [label_of(deployment.ref)] if deployment.ref else []
    own = own_label(deployment)
    labels = dict.fromkeys([deployment.label or own, own, *branch])
    return [f"{label}.{domain}" for domain in preview_domains for label in labels]
