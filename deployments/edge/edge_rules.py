"""Redirect rules and passwords as values of a site's KeyValueStore.

``lambda_src/router/router.js`` reads what this module writes, and says how. A set is named by a
hash of what is in it: one that did not change costs no call, and going back to one is a new head.

Passwords are kept as HMAC-SHA256 with a salt of their own, once over: a CloudFront function has a
budget of about a millisecond, in which no slow hash fits. They are as safe as they are long.
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cloudfront-function-restrictions.html
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from deployments.edge.edge_index import MAX_VALUE, bucket_of, digest
from deployments.errors import DeploymentRefused
from deployments.rule_files.redirects import Redirect

# What one request reads at most.
MAX_CHUNKS = 8
# Beside the index, which leaves so much of the store.
MAX_BYTES = 200_000
NAME = 10
PATTERN = re.compile(r"/(?::|\*$)")

# What asks for a password: the inside of the router's page 401. It answers a form with a session
# when the header is there, so that the address loads again without the password in it.
FORM = (
    '<form><label>Password <input type="password" autocomplete="current-password" autofocus>'
    '</label> <button>Open</button><p role="alert"></p></form>'
    "<noscript>This needs JavaScript.</noscript>"
    "<style>input,button{font:inherit}</style><script>"
    "const f=document.forms[0];f.onsubmit=async e=>{e.preventDefault();"
    'const b=new TextEncoder().encode(":"+f[0].value.normalize()),'
    'r=await fetch(location,{cache:"no-store",headers:{"x-cloudadmin-login":"1",'
    'authorization:"Basic "+btoa(String.fromCharCode(...b))}});'
    "if(r.status==204)location.reload();"
    'else f.lastChild.textContent="This is not the password."}</script>'
)


class RulesRefused(DeploymentRefused):
    """The rules do not fit into what the edge reads for one request."""


@dataclass(frozen=True)
class RuleSet:
    """``puts`` are the values of the store, ``head`` is what the head says of them.

    All empty when there is nothing to say.
    """

    name: str = ""
    puts: Mapping[str, str] = field(default_factory=dict)
    head: str = ""


def rules(redirects: Iterable[Redirect]) -> RuleSet:
    """For the head's field ``q``. Raises RulesRefused when they are too many, with numbers.

    Rules that name one path lie in buckets, of which a request reads one; those with placeholders,
    query or conditions lie in chunks, all of which may be read, and are at most eight.
    """
    exact: dict[str, list[Any]] = {}
    patterns: list[list[Any]] = []
    is_forced = False
    for order, redirect in enumerate(redirects):
        row = _row(order, redirect)
        is_forced = is_forced or redirect.force
        if more := _conditions(redirect):
            patterns.append(row + more)
        elif not _is_loop(row):
            exact.setdefault(row[1], row)
    if not exact and not patterns:
        return RuleSet()
    name = _name([*exact.values(), *patterns])
    buckets = _buckets(list(exact.values()))
    chunks = _chunks(patterns, "redirect rules with placeholders, “*”, query or conditions")
    puts = {f"q:{name}:e{number}": _text(rows) for number, rows in sorted(buckets.rows.items())}
    puts |= {f"q:{name}:{number}": _text(rows) for number, rows in enumerate(chunks)}
    size = sum(len(key) + len(value.encode()) for key, value in puts.items())
    if size > MAX_BYTES:
        raise RulesRefused(
            f"_redirects: {len(exact) + len(patterns):,} rules take {size:,} bytes at the edge, of "
            f"{MAX_BYTES:,}. Say with “*” what many of them say."
        )
    head = f"{name}:{buckets.number}:{len(chunks)}" + (":!" if is_forced else "")
    return RuleSet(name, puts, head)


def protection(rows: Iterable[Mapping[str, str]], cookie_key: str) -> RuleSet:
    """For the head's field ``p``: ``{"path", "salt", "hash"}`` each, see ``hashed``.

    The key of a session comes from ``cookie_key`` and the whole row, so whoever knew the password
    that a path had does not get in with the session of then. Raises RulesRefused.
    """
    # A file may have its name in either form, and the runtime of the router knows of none.
    locks = [
        [path, row["salt"], row["hash"], ""]
        for row in rows
        for path in dict.fromkeys(
            unicodedata.normalize(form, row["path"].strip("/")) for form in ("NFC", "NFD")
        )
    ]
    if not locks:
        return RuleSet()
    for lock in locks:
        lock[3] = _hmac(cookie_key, _text(lock[:3]))[:32]
    name = _name([FORM, *locks])
    chunks = _chunks(locks, "protected paths")
    puts = {f"p:{name}:{number}": _text(chunk) for number, chunk in enumerate(chunks)}
    return RuleSet(name, puts | {"p:form": FORM}, f"{name}:{len(chunks)}")


def hashed(password: str) -> dict[str, str]:
    """``{"salt", "hash"}``, in hex, of a password; one password has another hash each time."""
    salt = secrets.token_hex(16)
    return {"salt": salt, "hash": _hmac(salt, unicodedata.normalize("NFC", password))}


def _row(order: int, redirect: Redirect) -> list[Any]:
    status = -redirect.status if redirect.force else redirect.status
    target = redirect.target
    if not 300 <= redirect.status < 400:
        target = unquote(target).lstrip("/")
    return [order, redirect.source.strip("/"), target, status]


def _conditions(redirect: Redirect) -> list[Any]:
    """What a rule has that does not name one path alone; nothing for one that does."""
    variable = PATTERN.search(redirect.source)
    conditions = {
        kind[0]: [code.lower() for code in codes] for kind, codes in redirect.conditions.items()
    }
    if not (variable or redirect.query or conditions):
        return []
    fixed = (
        len(redirect.source[1 : variable.start() if variable else None].encode("utf-16-le")) // 2
    )
    more = [fixed, dict(redirect.query) or 0, conditions or 0]
    while not more[-1] and len(more) > 1:
        more.pop()
    return more


def _is_loop(row: list[Any]) -> bool:
    """Whether it leads to where the visitor is; of patterns, the router finds that out."""
    _, source, target, status = row
    goal = unquote(re.split(r"[?#]", target, maxsplit=1)[0])
    return 300 <= abs(status) < 400 and goal.removesuffix("/") == (source and f"/{source}")


@dataclass(frozen=True)
class _Buckets:
    number: int
    rows: Mapping[int, list[list[Any]]]


def _buckets(rows: Sequence[list[Any]]) -> _Buckets:
    """As few as hold them all, each within a value of the store."""
    number = -(-sum(_size(row) for row in rows) // (MAX_VALUE // 2))
    while True:
        grouped: defaultdict[int, list[list[Any]]] = defaultdict(list)
        for row in rows:
            grouped[bucket_of(digest(row[1]), number)].append(row)
        if all(len(_text(each).encode()) <= MAX_VALUE for each in grouped.values()):
            return _Buckets(number, {n: grouped[n] for n in range(number)})
        number = number * 3 // 2 + 1


def _chunks(rows: Iterable[list[Any]], things: str) -> list[list[list[Any]]]:
    """In order, each within a value of the store."""
    chunks: list[list[list[Any]]] = []
    room = 0
    rows = list(rows)
    for row in rows:
        size = _size(row)
        if size > room:
            chunks.append([])
            room = MAX_VALUE - len("[]") + len(",")
        chunks[-1].append(row)
        room -= size
    if len(chunks) > MAX_CHUNKS:
        fit = sum(len(chunk) for chunk in chunks[:MAX_CHUNKS])
        raise RulesRefused(
            f"There are {len(rows):,} {things}, of which {fit:,} fit into the {MAX_CHUNKS} KB that "
            "the edge reads for one request. Say with fewer what they say."
        )
    return chunks


def _size(row: list[Any]) -> int:
    """Of a row and the comma after it, in bytes."""
    size = len(_text(row).encode()) + 1
    if size > MAX_VALUE - 1:
        raise RulesRefused(
            f"What is said of “/{row[1] if isinstance(row[0], int) else row[0]}” takes {size:,} "
            f"bytes at the edge, of {MAX_VALUE - 1:,}. Use shorter paths."
        )
    return size


def _text(rows: Any) -> str:
    return json.dumps(rows, ensure_ascii=False, separators=(",", ":"))


def _name(rows: Any) -> str:
    raw = hashlib.sha256(_text(rows).encode()).digest()
    return base64.urlsafe_b64encode(raw).decode()[:NAME]


def _hmac(key: str, text: str) -> str:
    return hmac.new(key.encode(), text.encode(), "sha256").hexdigest()
