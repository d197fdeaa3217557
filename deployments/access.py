"""How a site is deployed to, and who may see it: the one place that reads and changes that row.

What is changed here is at the edge within seconds; where AWS does not answer, beat writes it later.
"""

from __future__ import annotations

import logging
import re
import secrets
import unicodedata
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from django.db import transaction

from cloudadmin.aws import BotoCoreError, ClientError
from deployments import publish
from deployments.edge import edge_rules
from deployments.errors import DeploymentRefused
from deployments.models import DeploySettings, EdgeIndex
from deployments.source.rules import RESERVED
from deployments.target import target_of
from sites import stacks
from sites.access import clients_for
from sites.models import Site

if TYPE_CHECKING:
    from django.contrib.auth.models import User

logger = logging.getLogger(__name__)

# Eighteen letters and digits that are not mistaken for each other: more than 90 bits.
ALPHABET, LENGTH = "abcdefghjkmnpqrstuvwxyz23456789", 18
# What is kept of a password can be tried fast (deployments/edge_rules.py).
SHORTEST, LONGEST = 12, 200
# No router asks for a password there (sites/provisioning/resources/distribution.py).
ALWAYS_OPEN = " and ".join(f"/{name}/" for name in RESERVED)


def settings_of(site: Site) -> DeploySettings:
    return DeploySettings.objects.get_or_create(site=site)[0]


def keep(site: Site, user: User | None = None, **limits: int) -> None:
    """Set ``keep_deployments``, ``keep_days``, ``preview_days``, ``delete_after_hours``."""
    if limits:
        with transaction.atomic():
            _save(_locked(site), user, **limits)


def set_maintenance(site: Site, *, on: bool, user: User | None = None) -> bool:
    """Whether that changed. Visitors get a page of the site's own, ``maintenance.html``, where the
    release has one; previews can be looked at meanwhile."""
    with transaction.atomic():
        row = _locked(site)
        if row.is_in_maintenance == on:
            return False
        _save(row, user, is_in_maintenance=on)
        ask_for_heads(site)
    write_heads(site)
    return True


def protect(site: Site, path: str = "/", password: str = "", user: User | None = None) -> str:
    """Ask visitors of a path, and of all below it, for a password; returns it.

    Without one, a good one is made up. Only its hash is kept: this is the only time to see it.
    Raises DeploymentRefused.
    """
    path = canonical(path)
    if path.split("/")[1] in RESERVED:
        raise DeploymentRefused(
            f"No password can be asked for at {path}: {ALWAYS_OPEN} answer without the router. "
            "Let the function that answers there ask who it is, or keep what is secret elsewhere."
        )
    if stacks.has_older_edge_code(site):
        raise DeploymentRefused(
            f"What {site.name} has at the edge is of an earlier version, which would let everybody "
            f"in. Run `manage.py provision_site {site.name}` first."
        )
    password = password or "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
    if not SHORTEST <= len(password) <= LONGEST:
        raise DeploymentRefused(
            f"A password has {SHORTEST} to {LONGEST} characters; leave it out to have one made up."
        )
    with transaction.atomic():
        row = _locked(site)
        others = [rule for rule in row.protection if rule["path"] != path]
        rules = sorted([*others, {"path": path, **edge_rules.hashed(password)}], key=_by_path)
        key = row.cookie_key or secrets.token_hex(32)
        edge_rules.protection(rules, key)
        _save(row, user, protection=rules, cookie_key=key)
        ask_for_heads(site)
    write_heads(site)
    return password


def unprotect(site: Site, path: str | None = None, user: User | None = None) -> list[str]:
    """Open a path, or all, to everybody; the paths. Raises DeploymentRefused for an unknown one."""
    with transaction.atomic():
        row = _locked(site)
        going = [rule["path"] for rule in row.protection if path in (None, rule["path"])]
        if path is not None and not going:
            going = [rule["path"] for rule in row.protection if canonical(path) == rule["path"]]
        if path is not None and not going:
            paths = ", ".join(rule["path"] for rule in row.protection) or "none"
            raise DeploymentRefused(f"{path} is not protected on {site.name}. Protected: {paths}.")
        rules = [rule for rule in row.protection if rule["path"] not in going]
        _save(row, user, protection=rules)
        ask_for_heads(site)
    write_heads(site)
    return going


def left_open(path: str) -> str:
    """What a password for this path does not cover, in a sentence; mostly nothing."""
    return "" if canonical(path) != "/" else f"Open to everybody as before: {ALWAYS_OPEN}."


def canonical(path: str) -> str:
    """``/members/``, decoded, in NFC: with a slash at both ends, and none twice."""
    names = [name for name in unicodedata.normalize("NFC", unquote(path)).split("/") if name]
    if any(re.search(r"[\x00-\x1f?#*]", name) or name in (".", "..") for name in names):
        raise DeploymentRefused(
            f"“{path}” is no path that can be protected: name a folder or a page, as in /members/."
        )
    return "/" + "".join(f"{name}/" for name in names)


def ask_for_heads(site: Site) -> None:
    """Record that heads are to be written; beat does when nobody else has."""
    EdgeIndex.objects.filter(site=site).update(is_head_written=False)


def write_heads(site: Site) -> bool:
    """Write them now, where the site has any; whether that was so."""
    if not EdgeIndex.objects.filter(site=site).exists():
        return False
    try:
        publish.flip(site, target_of(site), clients_for(site.account))
    except (ClientError, BotoCoreError, DeploymentRefused):
        logger.warning("the heads of %s could not be written; it is tried again", site.name)
        return False
    return True


def _locked(site: Site) -> DeploySettings:
    settings_of(site)
    return DeploySettings.objects.select_for_update().get(site=site)


def _save(row: DeploySettings, user: User | None, **changes: Any) -> None:
    for name, value in changes.items():
        setattr(row, name, value)
    row.updated_by = user or row.updated_by
    row.save(update_fields=[*changes, "updated_by"])


def _by_path(rule: dict[str, str]) -> str:
    return rule["path"]
