"""CSV files of other counters: read whole, or refused with file and line."""

from __future__ import annotations

import csv
import io
import re
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import IO, Any, NamedTuple
from urllib.parse import unquote

from sites.errors import Refused
from sites.models import Kind

EARLIEST = date(2000, 1, 1)
MOST_IN_A_ROW = 10**12
# Bytes of a line, which is a hit or a sum: many times what its fields need.
LONGEST = 64 * 1024
BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError)

Line = dict[str, str]


class Key(NamedTuple):
    day: date
    kind: Kind
    value: str


class BadLine(Exception):
    """What is wrong with a line."""


class Limits(NamedTuple):
    """How much of a file is read, once it is unpacked, and what to do with more."""

    lines: int
    megabytes: int
    things: int
    advice: str

    @property
    def bytes(self) -> int:
        return self.megabytes * 10**6


# More than anybody's file has; fewer than what a small archive can be unpacked to.
BY_COMMAND = Limits(50_000_000, 10_000, 3_000_000, "import fewer days")
# Some seconds.
IN_A_REQUEST = Limits(
    100_000,
    20,
    100_000,
    "import fewer days, or all of it by `manage.py import_visits`, which takes more",
)


class Counted:
    """The sums of a file: pageviews, visits, visitors and bots of every key."""

    def __init__(self, limits: Limits = BY_COMMAND) -> None:
        self.sums: dict[Key, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
        self.limits = limits
        self._lines = self._bytes = 0

    def add(self, day: date, kind: Kind, value: str, *numbers: int) -> None:
        sums = self.sums[Key(day, kind, value)]
        self.raise_if_too_many(len(self.sums))
        for place, number in enumerate(numbers):
            sums[place] += number

    def raise_if_too_many(self, things: int) -> None:
        if things > self.limits.things:
            raise BadLine(
                f"these are more than {self.limits.things:,} different things; {self.limits.advice}"
            )

    def has_read(self, size: int) -> None:
        """One more line. Raises BadLine when it is one too many."""
        self._lines += 1
        self._bytes += size
        if self._lines > self.limits.lines or self._bytes > self.limits.bytes:
            raise BadLine(
                f"more than {self.limits.lines:,} lines, or {self.limits.megabytes:,} MB, are not"
                f" read; {self.limits.advice}"
            )


class Lines:
    """The lines of a file, none of them longer than LONGEST, nor a row of several of them."""

    def __init__(self, stream: IO[bytes], counted: Counted) -> None:
        raw: Any = stream
        self._stream, self._counted = io.BufferedReader(raw, LONGEST), counted
        self.number = self.row_bytes = 0

    def __iter__(self) -> Lines:
        return self

    def __next__(self) -> str:
        line = self._stream.readline(LONGEST + 1)
        if not line:
            raise StopIteration
        self.number += 1
        self.row_bytes += len(line)
        if self.row_bytes > LONGEST:
            raise BadLine(f"it is longer than {LONGEST:,} bytes")
        self._counted.has_read(len(line))
        return line.decode("utf-8-sig" if self.number == 1 else "utf-8")

    def let_go(self) -> None:
        """The stream is the caller's."""
        self._stream.detach()


@contextmanager
def explained(name: str) -> Iterator[None]:
    """Refuse an archive that is not what it says, by name."""
    try:
        yield
    except BROKEN as error:
        raise Refused(f"{name} is broken ({error}); download it again.") from error


def each_line(
    stream: IO[bytes],
    name: str,
    wanted: tuple[str, ...],
    take: Callable[[Line], None],
    counted: Counted,
) -> None:
    """Hand over every line by its header's names; ``wanted`` have to be among them.

    Raises Refused, by file and line, also for a BadLine, and when ``counted`` has read enough.
    """
    lines = Lines(stream, counted)
    reader = csv.DictReader(lines, strict=True)
    try:
        missing = [column for column in wanted if column not in (reader.fieldnames or ())]
        if missing:
            raise BadLine(f"there is no column “{missing[0]}”")
        lines.row_bytes = 0
        for line in reader:
            lines.row_bytes = 0
            if None in line or None in line.values():
                raise BadLine("it has not as many fields as the first line")
            take(line)
    except BadLine as error:
        raise Refused(f"{name}, line {max(lines.number, 1)}: {error}.") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise Refused(
            f"{name}, line {reader.line_num + 1} is no CSV in UTF-8 ({error}); export it again."
        ) from error
    finally:
        lines.let_go()


def whole_number(line: Line, column: str, default: int = 0) -> int:
    """What counts in a column; columns that older versions lack are the default."""
    given = line.get(column, "")
    if not given:
        return default
    if not re.fullmatch(r"[0-9]{1,13}", given) or int(given) > MOST_IN_A_ROW:
        raise BadLine(f"“{given[:40]}” under “{column}” is no number of hits")
    return int(given)


def day_of(given: str) -> date:
    try:
        day = date.fromisoformat(given)
    except ValueError as error:
        raise BadLine(f"“{given[:40]}” is no date as in 2026-01-31") from error
    return known_day(day)


def known_day(day: date) -> date:
    """Refuse the days that nobody can have counted; time zones are up to a day ahead."""
    if not EARLIEST <= day <= datetime.now(UTC).date() + timedelta(days=1):
        raise BadLine(f"{day} is not between {EARLIEST} and today")
    return day


def path_of(given: str) -> str:
    """As our own counter writes it: decoded, without query, fragment and ``index.html``."""
    path = printable(unquote(re.split(r"[?#]", given, maxsplit=1)[0]))
    return re.sub(r"/index\.html$", "/", "/" + path.lstrip("/"))[:500]


def host_of(given: str) -> str:
    """The host of an address without scheme, lower-case and without “www.”."""
    host = re.split(r"[/?#]", printable(given).removeprefix("https://").removeprefix("http://"))[0]
    return host.lower().removeprefix("www.")[:500]


def country_of(given: str) -> str:
    """Of an ISO 3166 code, with or without its region."""
    code = given[:2].upper()
    return code if re.fullmatch(r"[A-Z]{2}", code) else ""


def printable(given: str) -> str:
    if given.isprintable():
        return given
    return "".join(character for character in given if character.isprintable())
