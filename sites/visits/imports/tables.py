"""CSV files of other counters: read whole, or refused with file and line."""

from __future__ import annotations

import csv
import re
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from io import TextIOWrapper
from typing import IO, NamedTuple
from urllib.parse import unquote

from sites.errors import Refused
from sites.models import Kind

EARLIEST = date(2000, 1, 1)
# More than anybody's file has; fewer than what a small archive can be unpacked to.
MOST_LINES = 50_000_000
MOST_KEYS = 3_000_000
MOST_IN_A_ROW = 10**12
BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError)

Line = dict[str, str]


class Key(NamedTuple):
    day: date
    kind: Kind
    value: str


class BadLine(Exception):
    """What is wrong with a line."""


class Counted:
    """The sums of a file: pageviews, visits, visitors and bots of every key."""

    def __init__(self) -> None:
        self.sums: dict[Key, list[int]] = defaultdict(lambda: [0, 0, 0, 0])

    def add(self, day: date, kind: Kind, value: str, *numbers: int) -> None:
        sums = self.sums[Key(day, kind, value)]
        if len(self.sums) > MOST_KEYS:
            raise BadLine(f"these are more than {MOST_KEYS:,} different things; import fewer days")
        for place, number in enumerate(numbers):
            sums[place] += number


@contextmanager
def explained(name: str) -> Iterator[None]:
    """Refuse an archive that is not what it says, by name."""
    try:
        yield
    except BROKEN as error:
        raise Refused(f"{name} is broken ({error}); download it again.") from error


def each_line(
    stream: IO[bytes], name: str, wanted: tuple[str, ...], take: Callable[[Line], None]
) -> None:
    """Hand over every line by its header's names; ``wanted`` have to be among them.

    Raises Refused, by file and line, also for a BadLine.
    """
    text = TextIOWrapper(stream, "utf-8-sig", newline="")
    reader = csv.DictReader(text, strict=True)
    try:
        missing = [column for column in wanted if column not in (reader.fieldnames or ())]
        if missing:
            raise BadLine(f"there is no column “{missing[0]}”")
        for line in reader:
            if None in line or None in line.values():
                raise BadLine("it has not as many fields as the first line")
            if reader.line_num > MOST_LINES:
                raise BadLine(f"more than {MOST_LINES:,} lines are not read; import fewer days")
            take(line)
    except BadLine as error:
        raise Refused(f"{name}, line {max(reader.line_num, 1)}: {error}.") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise Refused(
            f"{name}, line {reader.line_num + 1} is no CSV in UTF-8 ({error}); export it again."
        ) from error
    finally:
        text.detach()  # the stream is the caller's


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
    return "".join(character for character in given if character.isprintable())
