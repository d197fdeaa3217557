"""Ask the edge, as visitors do, whether it serves what was deployed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from django.conf import settings

from cloudadmin import tls
from deployments.manifest import survives
from deployments.models import DeploySettings
from sites.models import Site

if TYPE_CHECKING:
    import httpx

    from deployments.manifest import Entry, Manifest
    from deployments.rule_files.redirects import Redirect
    from deployments.target import Target

AT_ONCE = 16
# Changed files that one verification fetches at most, others, and deleted addresses.
MAX_CHANGED, OTHERS, DELETED = 500, 40, 5
# Larger files are only asked for their length.
MAX_READ = 5_000_000
READ_AT_ONCE = 64 * 1024
START = "index.html"


@dataclass(frozen=True)
class Mismatch:
    """What the edge answered instead of the file."""

    path: str
    reason: str


@dataclass(frozen=True)
class Expected:
    """What the edge shall answer for. ``gone`` are paths that nothing answers for any more;
    ``skipped`` says why what is missing here is not asked."""

    files: Mapping[str, Entry] = field(default_factory=dict)
    gone: tuple[str, ...] = ()
    skipped: str = ""


def expected(
    site: Site, manifest: Manifest, changed: Iterable[str] = (), deleted: Iterable[str] = ()
) -> Expected:
    """Changed files up to a cap, then a spread of the others, and a few that were deleted.

    What visitors only see with a password, or behind a rule, is left out.
    """
    row = DeploySettings.objects.filter(site=site).first() or DeploySettings()
    if row.is_in_maintenance:
        return Expected(skipped="Not checked at the edge: the site is in maintenance.")
    protected = tuple(rule["path"].lower() for rule in row.protection)
    rules: tuple[Redirect, ...] = getattr(manifest, "redirects", ())
    forced = _Rules(rule.source for rule in rules if rule.force)

    def is_open(path: str, rules: _Rules) -> bool:
        return not _clean(path).startswith(protected) and not rules.match(path)

    visible = {path: e for path, e in manifest.entries.items() if is_open(path, forced)}
    first = sorted(visible.keys() & set(changed))[:MAX_CHANGED]
    others = sorted(visible.keys() - set(first))
    spread = others[:: max(1, -(-len(others) // OTHERS))]
    every = _Rules(rule.source for rule in rules)
    gone = (path for path in sorted(deleted) if _is_gone(path, manifest) and is_open(path, every))
    paths = ", ".join(protected)
    return Expected(
        files={path: visible[path] for path in [*first, *spread]},
        gone=() if Site.objects.get(pk=site.pk).is_spa else tuple(islice(gone, DELETED)),
        skipped=f"Not checked at the edge, for want of a password: {paths}" if paths else "",
    )


def check(target: Target, wanted: Expected, host: str = "") -> Mismatch | None:
    """Fetch everything through the edge; the first thing that is not as wanted, or None.

    Asked is ``host``, or the distribution's own name and, for the start page, every domain that
    the edge answers for as well.
    """
    import httpx

    own = target.hosts[0]
    limits = httpx.Limits(max_connections=AT_ONCE, max_keepalive_connections=AT_ONCE)
    # Always at the distribution's address: a domain's records may lead elsewhere as yet.
    with httpx.Client(
        base_url=settings.CLOUDADMIN_EDGE_URL or f"https://{own}",
        timeout=10,
        limits=limits,
        verify=tls.authorities(),
        follow_redirects=True,
        max_redirects=3,
    ) as client:
        ask = partial(_ask, client)
        looks: list[Callable[[], Mismatch | None]] = [
            partial(_file, ask, host or own, path, entry) for path, entry in wanted.files.items()
        ]
        looks += [partial(_gone, ask, host or own, path) for path in wanted.gone]
        if not host and START in wanted.files:
            start = wanted.files[START]
            looks += [partial(_domain, ask, target, d, start) for d in sorted(target.attached)]
        with ThreadPoolExecutor(AT_ONCE, "verification") as pool:
            mismatch: Mismatch | None = None
            for mismatch in pool.map(lambda look: look(), looks):
                if mismatch is not None:
                    pool.shutdown(cancel_futures=True)
                    break
    return mismatch


def url_path(path: str) -> str:
    """The address of a file: folders have the address of their index page."""
    if path == START or path.endswith("/" + START):
        path = path.removesuffix(START)
    return "/" + quote(path, safe="/~")


@dataclass(frozen=True)
class _Answer:
    status: int
    sha256: str
    length: str
    location: str


def _ask(
    client: httpx.Client, method: str, host: str, path: str, *, follow: bool = True
) -> _Answer | str:
    """What came, its body hashed piece by piece; or why nothing came."""
    import httpx

    request = client.build_request(
        method,
        path,
        headers={"Host": host},
        extensions={"sni_hostname": host},
    )
    try:
        response = client.send(request, stream=True, follow_redirects=follow)
        try:
            hasher = hashlib.sha256()
            for piece in response.iter_bytes(READ_AT_ONCE):
                hasher.update(piece)
        finally:
            response.close()
    except (httpx.TransportError, httpx.TooManyRedirects) as error:
        return f"the edge does not answer ({error})"
    headers = response.headers
    return _Answer(
        response.status_code,
        hasher.hexdigest(),
        headers.get("content-length", ""),
        headers.get("location", ""),
    )


def _file(ask: Callable[..., _Answer | str], host: str, path: str, entry: Entry) -> Mismatch | None:
    whole = entry.size <= MAX_READ
    answer = ask("GET" if whole else "HEAD", host, url_path(path))
    if isinstance(answer, str):
        return Mismatch(path, answer)
    if answer.status != 200:
        return Mismatch(path, f"the edge answered {answer.status}")
    if whole and answer.sha256 != entry.sha256:
        return Mismatch(path, "the edge answered other bytes than the ones deployed")
    if not whole and answer.length and int(answer.length) != entry.size:
        return Mismatch(path, f"the edge answered {answer.length} bytes instead of {entry.size}")
    return None


def _gone(ask: Callable[..., _Answer | str], host: str, path: str) -> Mismatch | None:
    answer = ask("HEAD", host, url_path(path), follow=False)
    if isinstance(answer, str):
        return Mismatch(path, answer)
    if answer.status not in (404, 410):
        return Mismatch(path, f"it was deleted, and the edge answered {answer.status}")
    return None


def _domain(
    ask: Callable[..., _Answer | str], target: Target, domain: str, start: Entry
) -> Mismatch | None:
    """The start page, or the way to the domain that this one redirects to."""
    answer = ask("GET", domain, "/", follow=False)
    if isinstance(answer, str):
        return Mismatch(START, f"on {domain}: {answer}")
    if urlsplit(answer.location).hostname == target.redirects.get(domain, domain):
        return None
    if answer.status != 200 or answer.sha256 != start.sha256:
        return Mismatch(START, f"on {domain}: the edge answered {answer.status}, other bytes")
    return None


def _clean(path: str) -> str:
    """The address that passwords are for: ``/members/`` for ``members.html`` too."""
    name = path.removesuffix(START) if url_path(path).endswith("/") else path
    return "/" + f"{name.removesuffix('.html').rstrip('/')}/".lstrip("/").lower()


def _is_gone(path: str, manifest: Manifest) -> bool:
    """Whether nothing answers at the address of a deleted file: neither it, for the open pages
    that may still ask for it, nor another file that has this address as well."""
    address = url_path(path).strip("/")
    others = (path, f"{address}.html", f"{address}/{START}")
    return not survives(path) and not any(other in manifest.entries for other in others)


class _Rules:
    """Whether one of some redirect rules may answer at the address of a file."""

    def __init__(self, sources: Iterable[str]) -> None:
        patterns = [f"(?:{_pattern(source)})" for source in sources]
        self._found = re.compile("|".join(patterns)).fullmatch if patterns else None

    def match(self, path: str) -> bool:
        if self._found is None:
            return False
        clean = path.removesuffix(".html").removesuffix("index")
        return any(self._found("/" + name) for name in (path, clean, clean.rstrip("/")))


def _pattern(source: str) -> str:
    literal = re.escape(source).replace(r"\*", ".*")
    return re.sub(r":\w+", "[^/]+", literal).rstrip("/") + "/?"
