"""The stack of a site, and of its account, as the rows ask for them."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TypedDict

from django.conf import settings

from sites import provisioning
from sites.models import Account, Site
from sites.provisioning.package import build, script
from sites.specs import account_spec, site_spec
from sites.store import record_of

LAMBDA_SRC = settings.BASE_DIR / "lambda_src"


def of(owner: Account | Site) -> provisioning.Stack:
    return of_site(owner) if isinstance(owner, Site) else of_account(owner)


def of_account(account: Account, site: Site | None = None) -> provisioning.Stack:
    """What the sites of an account share; ``site`` is about to be provisioned."""
    counted = (
        (site is not None and site.has_counter)
        or account.sites.filter(has_counter=True).exists()
        or account.resources.filter(site=None, logical_id="artifact").exists()
    )
    return provisioning.account_stack(
        account_spec(account, site), counter_package=counter_package() if counted else None
    )


def of_site(site: Site) -> provisioning.Stack:
    return of_spec(site_spec(site), site.account)


def of_spec(spec: provisioning.SiteSpec, account: Account) -> provisioning.Stack:
    shared = {
        row.logical_id: record_of(row).state
        for row in account.resources.filter(site=None, is_ready=True)
    }
    return provisioning.site_stack(spec, shared, **edge_code())


class EdgeCode(TypedDict):
    router_code: str
    headers_code: str


@cache
def edge_code() -> EdgeCode:
    """The scripts of a site's CloudFront functions, as they are sent, read once per process."""
    return {
        "router_code": script(LAMBDA_SRC / "router" / "router.js"),
        "headers_code": script(LAMBDA_SRC / "router" / "headers.js"),
    }


def has_older_edge_code(site: Site) -> bool:
    """Whether its functions are of an earlier version, which may not know what is asked of them."""
    there = site.resources.filter(type="function").exclude(physical_id="")
    hashes = {row.logical_id: row.properties.get("code_sha256") for row in there}
    codes = edge_code()
    current = {"function": codes["router_code"], "function.headers": codes["headers_code"]}
    wanted = {name: sha256(code.encode()).hexdigest() for name, code in current.items()}
    return bool(hashes) and hashes != wanted


@cache
def counter_package() -> Path:
    """The counter function as a zip, built once per process and named by its content."""
    code = build(LAMBDA_SRC / "counter")
    folder: Path = settings.DATA_DIR / "packages"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"counter-{sha256(code).hexdigest()[:16]}.zip"
    if not path.exists():
        partial = path.with_suffix(".partial")
        partial.write_bytes(code)
        partial.rename(path)
    return path
