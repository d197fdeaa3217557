"""Redirect rules of a site: Netlify's ``_redirects`` file, followed fully or refused by line.

``from [name=value …] to [status[!]] [Country=…] [Language=…]``, the first rule that matches wins.
https://docs.netlify.com/manage/routing/redirects/overview/
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import quote, unquote, urlsplit

from deployments.rule_files import LineRefused, decoded, decoded_path, follow, regex_of

FILE_NAME = "_redirects"
STATUSES = frozenset({200, 301, 302, 303, 307, 308, 404, 410})
ADDRESS = re.compile(r"https?://", re.IGNORECASE)
PLACEHOLDER = re.compile(r":([A-Za-z_]\w*)", re.ASCII)
STATUS = re.compile(r"(\d{3})(!?)", re.ASCII)
CONDITIONS = {
    "country": re.compile(r"[A-Z]{2}"),
    "language": re.compile(r"[a-z]{2,3}(?:-[a-z0-9]{2,8})*"),
}
# Sent on as they are; the rest of an address is percent-encoded.
SAFE_IN_ADDRESS = "/:?#[]@!$&'()*+,;=%~"
# Behaviours of the distribution without the router (DESIGN section 5), and Netlify's own.
ELSEWHERE = {
    "data": "“/data/” belongs to the site's functions, where no redirect is looked at",
    "_cloudadmin": "“/_cloudadmin/” is where the site's counter answers",
    ".netlify": "“/.netlify/” is Netlify's own; there is nothing here",
}


@dataclass(frozen=True)
class Redirect:
    """One rule. The first that matches wins; an existing file wins over a rule without ``force``.

    ``source`` is a path pattern, decoded, without slash at the end: segments, of which ``:name``
    stands for any one, and a final ``/*`` for all the rest, for none too (``/a/*`` means ``/a``
    as well). It matches with and without slash at the end. ``target`` is percent-encoded: a path
    of the site or, for 3xx, an http(s) address, in which ``:name`` and ``:splat`` stand for what
    they matched; what they stand for is to be encoded, and must not begin a path with two slashes.
    ``query`` are the parameters that must be there, with these values or, for ``:name``, with any.
    ``conditions`` are ``country`` (upper-case) and ``language`` (lower-case): one of each list.
    """

    source: str
    target: str
    status: int = 301
    force: bool = False
    query: dict[str, str] = field(default_factory=dict)
    conditions: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def shows_page(self) -> bool:
        """Whether it answers with a page of the site that is the same for every visitor."""
        return not (300 <= self.status < 400 or PLACEHOLDER.search(self.target))

    def __hash__(self) -> int:
        return hash((self.source, self.target, self.status, self.force, frozenset(self.query)))


def parse(text: str) -> tuple[Redirect, ...]:
    """Raises SourceRefused with every line that cannot be followed, and what to write instead."""
    rules: list[Redirect] = []
    follow(FILE_NAME, text, lambda _, line: rules.append(_redirect(line)))
    return tuple(rules)


def _redirect(line: str) -> Redirect:
    source, *words = _without_comment(line.split())
    if ADDRESS.match(source):
        host = urlsplit(source).netloc or "old.example.com"
        raise LineRefused(
            "rules are for every domain of the site alike; to send one of them elsewhere, leave "
            f"the line out and run `manage.py change_site NAME --redirect {host}`."
        )
    path = _source(source)
    at = next((n for n, word in enumerate(words) if _is_target(word)), None)
    if at is None:
        target, query, options = _itself(path, words), {}, words
    else:
        target, query, options = words[at], _pairs(words[:at]), words[at + 1 :]
    status, force = _status(options[:1])
    rule = Redirect(path, _target(target, status), status, force, query, _conditions(options[1:]))
    _judge(rule)
    return rule


def _without_comment(words: list[str]) -> list[str]:
    end = next((n for n, word in enumerate(words) if word.startswith("#")), None)
    return words[:end]


def _is_target(word: str) -> bool:
    return word.startswith("/") or ADDRESS.match(word) is not None


def _itself(source: str, words: list[str]) -> str:
    """``/path/* 200`` without a target serves what is there and ends the search."""
    if not words or not STATUS.fullmatch(words[0]):
        raise LineRefused(
            "there is no target that begins with “/”, “http://” or “https://”; "
            "write it after the path."
        )
    if not (source.endswith("/*") and words[0].startswith("200")):
        raise LineRefused("there is no target; write it between the path and the status.")
    return source[:-1] + ":splat"


def _source(written: str) -> str:
    if not written.startswith("/"):
        raise LineRefused(f"a path begins with a slash; write “/{written}”.")
    if re.search(r"[?#]", written):
        raise LineRefused(
            "a path has no “?” or “#”; write query parameters after a space, as in "
            "“/store id=:id”, and leave a fragment out: browsers do not send it."
        )
    path = "/" + "/".join(filter(None, decoded_path(written).split("/")))
    *folders, last = path.split("/")
    if any("*" in part for part in folders) or ("*" in last and last != "*"):
        raise LineRefused(
            "“*” stands for the rest of a path, alone after its last slash, as in “/news/*”; for "
            "one part in the middle write a placeholder, as in “/news/:year/index”."
        )
    names = [part[1:] for part in path.split("/") if part.startswith(":")]
    if wrong := [name for name in names if not PLACEHOLDER.fullmatch(f":{name}")]:
        raise LineRefused(
            f"“:{wrong[0]}” is no name of a placeholder; use letters, digits and “_”."
        )
    return path


def _target(written: str, status: int) -> str:
    if ADDRESS.match(written):
        _judge_address(written, status)
    elif written.startswith("//") or "\\" in written:
        raise LineRefused("a target is a path, or an address with “https://”; write one of these.")
    elif not 300 <= status < 400:
        if "#" in written:
            raise LineRefused(
                f"a fragment is for browsers, which a {status} does not move; leave it out."
            )
        written = written.partition("?")[0]  # A file is the same for every query.
    if "*" in written:
        raise LineRefused("what “*” matched is written “:splat” in the target.")
    return quote(written, safe=SAFE_IN_ADDRESS)


def _judge_address(written: str, status: int) -> None:
    if status == 200:
        raise LineRefused(
            "another server's pages are not fetched and passed on; send visitors there with 302, "
            "or let the page call that server itself (it must allow that with CORS)."
        )
    if not 300 <= status < 400:
        raise LineRefused(f"a {status} shows a page of this site; write its path.")
    host = re.split(r"[/?#]", ADDRESS.sub("", written, count=1), maxsplit=1)[0]
    # Visitors must not choose where a redirect of this site leads to.
    if not host or "@" in host or PLACEHOLDER.search(host) or host.endswith(":"):
        raise LineRefused(
            "the host is to be written out, without placeholder, user name or password."
        )


def _status(words: list[str]) -> tuple[int, bool]:
    if not words:
        return 301, False
    found = STATUS.fullmatch(words[0])
    if found is None:
        raise LineRefused(
            f"“{words[0]}” stands where the status does; write one of {_statuses()} before it."
        )
    if int(found[1]) not in STATUSES:
        raise LineRefused(f"the status {found[1]} is not one of {_statuses()}.")
    return int(found[1]), bool(found[2])


def _statuses() -> str:
    *most, last = map(str, sorted(STATUSES))
    return f"{', '.join(most)} or {last}"


def _pairs(words: Iterable[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise LineRefused(
                f"“{word}” is no query parameter; write “name=value”, or “{name or 'name'}=:value” "
                "for any value."
            )
        if name in pairs:
            raise LineRefused(f"the parameter “{name}” is there twice; write it once.")
        pairs[decoded(name)] = decoded(value)
    return pairs


def _conditions(words: Iterable[str]) -> dict[str, tuple[str, ...]]:
    conditions: dict[str, tuple[str, ...]] = {}
    for word in words:
        name, _, value = word.partition("=")
        name = name.lower()
        if name not in CONDITIONS:
            raise LineRefused(_why_not(word, name))
        values = [v.upper() if name == "country" else v.lower() for v in value.split(",")]
        if wrong := [v for v in values if not CONDITIONS[name].fullmatch(v)]:
            raise LineRefused(
                f"“{wrong[0]}” is no {name}; write codes with commas and without spaces, as in "
                "“Country=at,de” or “Language=de,pt-br”."
            )
        conditions[name] = tuple(dict.fromkeys([*conditions.get(name, ()), *values]))
    return conditions


def _why_not(word: str, name: str) -> str:
    if name == "role":
        return (
            "there are no users with roles here; protect the path with a password instead: "
            "`manage.py protect_site`."
        )
    if name == "cookie":
        return (
            "cookies are not looked at, so that every visitor gets the cached page; leave it out."
        )
    if name in {"sign", "signed"}:
        return "signed proxying needs a server behind it, and there is none; leave it out."
    return f"“{word}” is no condition; these are Country= and Language=."


def _judge(rule: Redirect) -> None:
    """What no single part shows."""
    moves = 300 <= rule.status < 400
    for path in [rule.source] if moves else [rule.source, rule.target]:
        if why := ELSEWHERE.get(path.split("/")[1]):
            raise LineRefused(f"{why}; leave the line out.")
    names = [part[1:] for part in rule.source.split("/") if part.startswith(":")]
    names += [value[1:] for value in rule.query.values() if PLACEHOLDER.fullmatch(value)]
    if len(set(names)) < len(names) or "splat" in names:
        raise LineRefused("each placeholder needs a name of its own, and “:splat” is what “*” is.")
    names += ["splat"] if rule.source.endswith("/*") else []
    path = ADDRESS.sub("", rule.target, count=1).partition("/")[2]
    if unknown := [name for name in PLACEHOLDER.findall(path) if name not in names]:
        raise LineRefused(f"“:{unknown[0]}” is nothing that the path or its parameters match.")
    if moves:
        _judge_loop(rule)


def _judge_loop(rule: Redirect) -> None:
    goal, *rest = re.split(r"[?#]", unquote(rule.target), maxsplit=1)
    own = rule.source[:-1] + ":splat" if rule.source.endswith("/*") else rule.source
    if goal.rstrip("/") == own.rstrip("/") and not rest:
        raise LineRefused(
            "it leads to itself; whether addresses end with a slash is a setting of the site: "
            "`manage.py change_site NAME --trailing-slash always`."
        )
    if rule.force and not rule.query and re.fullmatch(regex_of(rule.source), goal.rstrip("/")):
        raise LineRefused(
            "with “!” its target is redirected by the same rule, without end; leave the “!” out, "
            "or write a target that the path does not match."
        )
