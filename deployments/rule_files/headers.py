"""Headers of a site's files: Netlify's ``_headers`` file, followed fully or refused by line.

A path on a line of its own, its headers below it; every rule that matches a file's address counts,
and of one header the last one does. https://docs.netlify.com/manage/routing/headers/
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import NamedTuple, TypeAlias

from deployments.rule_files import LineRefused, decoded_path, follow, regex_of
from deployments.source import SourceRefused

FILE_NAME = "_headers"
# Fields of their own in S3, so that the bucket alone answers with them.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html
NATIVE = {"content-disposition": "Content-Disposition", "content-language": "Content-Language"}
METADATA = "headers"
# 2 KB for the names and values of an object's own metadata; whether the prefix counts is not said.
MAX_METADATA = 2_000 - len("x-amz-meta-headers")

WILD = re.compile(r"/\*(?=/|$)|\*|(?<=/):[^/]*")
# https://www.rfc-editor.org/rfc/rfc9110#section-5.1
NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
VALUE = re.compile(r"[\x20-\x7e]+")
MEDIA_TYPE = re.compile(r"[\w!#$&^.+-]+/[\w!#$&^.+-]+(?:\s*;\s*[\w-]+=(?:\"[^\"]*\"|[^\s;,\"]+))*")

COMPRESSION = "CloudFront compresses by itself; deploy the file as it is and leave the header out."
ELSEWHERE = {
    "basic-auth": "passwords in a file would be in the build; use `manage.py protect_site`.",
    "content-encoding": COMPRESSION,
    "location": "a file does not redirect; write a rule into “_redirects”.",
    "set-cookie": "a page that everybody gets from the cache sets no cookie; do it with a script.",
}
# Of one connection, or written by S3 and CloudFront. A function that sets some of them fails:
# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/edge-function-restrictions-all.html
OWNED = re.compile(
    r"accept-ranges|age|allow|alt-svc|connection|content-length|content-range|date|etag|expect|host"
    r"|keep-alive|last-modified|proxy-.*|server|te|trailer|transfer-encoding|upgrade|via|warning"
    r"|x-accel-.*|x-amz-.*|x-amzn-.*|x-cache|x-edge-.*|x-forwarded-proto|x-real-ip"
)


Matches: TypeAlias = Callable[[str], re.Match[str] | None]


class Applied(NamedTuple):
    """What a file gets: "" stands for the value that its name gives. ``headers`` are sorted."""

    content_type: str = ""
    cache_control: str = ""
    headers: tuple[tuple[str, str], ...] = ()


@dataclass
class Rule:
    """Of a path pattern, and the headers (lower-case names) of the files that it matches."""

    line: int
    pattern: str
    values: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        parts = [part.lower() for part in self.pattern.split("/") if part]
        fixed = takewhile(lambda part: not part.startswith(":") and "*" not in part, parts)
        self.folder = "/".join(fixed)
        # Looked for first: a path without it is told in a tenth of the time.
        self.needle = max(WILD.split("".join(f"/{part}" for part in parts)), key=len)
        self.matches = re.compile(regex_of(self.pattern.lower())).fullmatch


class Rules:
    """The rules of a file, in order, compiled so that a path meets only those of its folders."""

    def __init__(self, rules: Sequence[Rule] = ()) -> None:
        self.rules = tuple(rules)
        self.of_folder: defaultdict[str, list[tuple[int, str, Matches]]] = defaultdict(list)
        for number, rule in enumerate(self.rules):
            self.of_folder[rule.folder].append((number, rule.needle, rule.matches))
        self.made: dict[tuple[int, ...], Applied] = {(): Applied()}

    def rules_for(self, path: str) -> Applied:
        """What a file gets whose path (no leading slash) this is. Raises SourceRefused."""
        if not self.rules:
            return self.made[()]
        found: set[int] = set()
        for address in _addresses(path.lower()):
            for folder in _above(address):
                found.update(
                    number
                    for number, needle, matches in self.of_folder.get(folder, ())
                    if needle in address and matches(address)
                )
        key = tuple(sorted(found))
        applied = self.made.get(key)
        if applied is None:
            applied = self.made[key] = self._applied(path, [self.rules[number] for number in key])
        return applied

    def _applied(self, path: str, rules: Sequence[Rule]) -> Applied:
        values: dict[str, str] = {}
        for rule in rules:
            values |= rule.values
        content_type = values.pop("content-type", "")
        cache_control = values.pop("cache-control", "")
        headers = tuple(sorted(values.items()))
        if (size := len(to_metadata(headers))) > MAX_METADATA:
            lines = f"line{'s' if len(rules) > 1 else ''} {', '.join(str(r.line) for r in rules)}"
            raise SourceRefused(
                f"{FILE_NAME}, {lines}: together they give “{path}” {size:,} bytes of "
                f"headers, and S3 keeps {MAX_METADATA:,} with a file; shorten them, or match "
                "fewer files."
            )
        return Applied(content_type, cache_control, headers)


def parse(text: str) -> Rules:
    """Raises SourceRefused with every line that cannot be followed, and what to write instead."""
    rules: list[Rule] = []

    def take(number: int, line: str) -> None:
        if line.startswith("/"):
            rules.append(Rule(number, _pattern(line)))
            return
        name, value = _header(line)
        if not rules:
            raise LineRefused("there is no path above it; write “/*” there for all files.")
        values = rules[-1].values
        # https://docs.netlify.com/manage/routing/headers/#multi-value-headers
        values[name] = f"{values[name]}, {value}" if name in values else value
        if name == "content-type" and not MEDIA_TYPE.fullmatch(values[name]):
            raise LineRefused("this is no media type; write one, as in “text/html; charset=utf-8”.")

    follow(FILE_NAME, text, take)
    return Rules(rules)


def attributes(headers: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """What an object is stored with, so that the edge answers with these headers."""
    native = {NATIVE[name]: value for name, value in headers if name in NATIVE}
    metadata = to_metadata(headers)
    return native | ({METADATA: metadata} if metadata else {})


def to_metadata(headers: tuple[tuple[str, str], ...]) -> str:
    """Compact JSON of what S3 has no field for; "" for nothing."""
    others = {name: value for name, value in headers if name not in NATIVE}
    return json.dumps(others, separators=(",", ":")) if others else ""


def _pattern(line: str) -> str:
    if "?" in line or "#" in line:
        raise LineRefused("a path has no “?” or “#”; a file is the same for every query.")
    if re.search(r"\s", line):
        raise LineRefused(
            "a path has no spaces; write “%20” for one, and headers on lines of their own below it."
        )
    return decoded_path(line)


def _header(line: str) -> tuple[str, str]:
    if line.startswith("! "):
        raise LineRefused("headers cannot be detached; match fewer files with the rule above.")
    if re.match(r"https?://", line, re.IGNORECASE):
        raise LineRefused("rules are for every domain of the site alike; write the path alone.")
    name, colon, value = (word.strip() for word in line.partition(":"))
    if not colon:
        raise LineRefused("neither a path nor a header; write “/path” or “Name: value”.")
    if not NAME.fullmatch(name):
        raise LineRefused("HTTP allows no such name; use letters, digits and “-”.")
    if not value:
        raise LineRefused("the value is missing; write it behind the colon.")
    if not VALUE.fullmatch(value):
        raise LineRefused("the value is not plain ASCII, as HTTP wants it; encode it.")
    name = name.lower()
    if why := ELSEWHERE.get(name):
        raise LineRefused(why)
    if OWNED.fullmatch(name):
        raise LineRefused(f"{name} is written by S3 and CloudFront themselves; leave it out.")
    return name, value


def _addresses(path: str) -> Iterator[str]:
    """Of a file, without slash at the end: a page has its clean address too."""
    yield f"/{path}"
    folder, _, name = path.rpartition("/")
    if name == "index.html":
        yield f"/{folder}" if folder else ""
    elif name.endswith(".html"):
        yield f"/{path[:-5]}"


def _above(address: str) -> Iterator[str]:
    """The address without its first slash, and the folders that it is in, up to ""."""
    folder = address[1:]
    while folder:
        yield folder
        folder = folder.rpartition("/")[0]
    yield ""
