"""GoatCounter's CSV export of pageviews, one line each; version 2 of its format.

https://www.goatcounter.com/help/export and, for how its sessions are counted,
https://www.goatcounter.com/help/sessions
"""

from __future__ import annotations

import gzip
import re
from collections import OrderedDict
from datetime import UTC, datetime, timedelta
from typing import IO, Any

from sites.errors import Refused
from sites.models import Kind
from sites.visits.imports.tables import (
    BY_COMMAND,
    BadLine,
    Counted,
    Limits,
    Line,
    country_of,
    each_line,
    explained,
    host_of,
    known_day,
    path_of,
    printable,
)

COLUMNS = (
    "2Path",
    "Event",
    "System",
    "Session",
    "Bot",
    "Referrer",
    "Referrer scheme",
    "Screen size",
    "Location",
    "FirstVisit",
    "Date",
)
SILENCE = timedelta(minutes=30)
# A session is forgotten after this long.
SESSION = timedelta(hours=8)
SESSION_LENGTH = 64  # theirs have half of it
# Go's fmt and its database's booleans.
TRUE, FALSE = {"true", "1"}, {"false", "0", ""}
GZIP_MAGIC = b"\x1f\x8b"
# Screens of phones are narrower than this, those of tablets than that.
PHONE, TABLET = 600, 1025


def is_one(head: bytes) -> bool:
    """Whether a file that begins so looks like an export, of whichever version."""
    return head.startswith(GZIP_MAGIC) or re.match(rb"(\xef\xbb\xbf)?\"?\dPath", head) is not None


def parse(stream: IO[bytes], name: str, limits: Limits = BY_COMMAND) -> Counted:
    """Raises Refused, with file and line, for anything that is not understood."""
    with explained(name):
        head = stream.read(64)
        stream.seek(0)
        text: Any = gzip.GzipFile(fileobj=stream) if head.startswith(GZIP_MAGIC) else stream
        version = re.match(rb"(?:\xef\xbb\xbf)?\"?(\d+)Path", text.read(64))
        text.seek(0)
    if version and version[1] != b"2":
        raise Refused(
            f"{name} is of version {version[1].decode()} of GoatCounter's export; version 2 is"
            " read. Export it again with a newer GoatCounter."
        )
    hits = Hits(limits)
    with explained(name):
        each_line(text, name, COLUMNS, hits.take, hits.counted)
    return hits.counted


class Hits:
    """Visits and visitors are found again by the sessions, in the order of the file."""

    def __init__(self, limits: Limits) -> None:
        self.counted = Counted(limits)
        self._seen: OrderedDict[str, datetime] = OrderedDict()

    def take(self, line: Line) -> None:
        if _flag(line, "Event"):  # not a pageview
            return
        at = _moment(line["Date"])
        day, path = known_day(at.date()), path_of(line["2Path"])
        if line["Bot"] not in ("", "0"):
            for kind, value in ((Kind.PATH, path), (Kind.ALL, "")):
                self.counted.add(day, kind, value, 0, 0, 0, 1)
            return
        visit, visitor = self._judge(line, at)
        for kind, value in (
            (Kind.PATH, path),
            (Kind.REFERRER, _referrer(line)),
            (Kind.COUNTRY, country_of(line["Location"])),
            (Kind.DEVICE, _device(line)),
            (Kind.ALL, ""),
        ):
            self.counted.add(day, kind, value, 1, visit, visitor)

    def _judge(self, line: Line, at: datetime) -> tuple[int, int]:
        """Whether the hit begins a visit, and whether its visitor's day."""
        session = line["Session"].strip("0-")[:SESSION_LENGTH]
        if not session:  # not kept: GoatCounter says what it thought
            first = int(_flag(line, "FirstVisit"))
            return first, first
        last = self._seen.get(session)
        self._seen[session] = max(at, last or at)
        self._seen.move_to_end(session)
        while at - next(iter(self._seen.values())) > SESSION:
            self._seen.popitem(last=False)
        if last is None:
            self.counted.raise_if_too_many(len(self._seen))
            return 1, 1
        return int(at - last >= SILENCE), int(at.date() > last.date())


def _flag(line: Line, column: str) -> bool:
    given = line[column].lower()
    if given not in TRUE | FALSE:
        raise BadLine(f"“{given[:40]}” under “{column}” is neither true nor false")
    return given in TRUE


def _moment(given: str) -> datetime:
    try:
        at = datetime.fromisoformat(given)
        if at.tzinfo is None:
            at = at.replace(tzinfo=UTC)
        return at.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadLine(f"“{given[:40]}” is no date as in 2026-01-31T12:00:00Z") from error


def _referrer(line: Line) -> str:
    """A host; of what is no address (a campaign, an app, a name), the name."""
    given = line["Referrer"]
    return host_of(given) if line["Referrer scheme"] == "h" else printable(given)[:500]


def _device(line: Line) -> str:
    """By the system where it tells, else by the screen, in CSS pixels."""
    sides = [float(side) for side in re.findall(r"\d+(?:\.\d+)?", line["Screen size"])[:2]]
    width = min(sides, default=0.0)
    system = line["System"].lower()
    if system.startswith(("ios", "android", "iphone")):
        return "tablet" if width >= PHONE else "mobile"
    if system.startswith("ipad"):
        return "tablet"
    if system:
        return "desktop"
    if not sides or not sides[0]:
        return ""
    return "mobile" if sides[0] < PHONE else "tablet" if sides[0] < TABLET else "desktop"
