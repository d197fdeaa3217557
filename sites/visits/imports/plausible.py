"""The zip that Plausible exports: a CSV file for each dimension, in sums by day.

https://plausible.io/docs/csv-import has names and columns. Older exports lack some of the columns.
Days are those of the time zone that the site had there. Sums of one dimension need not be those of
another, nor our own kind of visit: Plausible has a visit on each page that it came to.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from typing import IO

from sites.errors import Refused
from sites.models import Kind
from sites.visits.imports.tables import (
    BY_COMMAND,
    Counted,
    Limits,
    Line,
    country_of,
    day_of,
    each_line,
    explained,
    host_of,
    path_of,
    printable,
    whole_number,
)

ZIP_MAGIC = b"PK\x03\x04"
NAME = re.compile(r"(?:imported_)?([a-z_]+?)(?:_\d{8}_\d{8})?\.csv")
MOST_FILES = 100
# Of the others, one read may fill the memory.
UNPACKED_BIT_BY_BIT = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
DEVICES = {
    "mobile": "mobile",
    "tablet": "tablet",
    "laptop": "desktop",
    "desktop": "desktop",
    "ultra-wide": "desktop",
}


def _source(line: Line) -> str:
    return host_of(line.get("referrer", "")) or _named(line["source"])


def _named(source: str) -> str:
    return "" if source == "Direct / None" else printable(source)[:500]


# Of each table: the kind, the column that its value needs, and the value.
TABLES: dict[str, tuple[Kind, tuple[str, ...], Callable[[Line], str]]] = {
    "visitors": (Kind.ALL, ("pageviews",), lambda line: ""),
    "pages": (Kind.PATH, ("page", "pageviews"), lambda line: path_of(line["page"])),
    "sources": (Kind.REFERRER, ("source",), _source),
    "locations": (Kind.COUNTRY, ("country",), lambda line: country_of(line["country"])),
    "devices": (Kind.DEVICE, ("device",), lambda line: DEVICES.get(line["device"].lower(), "")),
}
# What we do not count, and what is told by "pages" already.
PASSED_OVER = frozenset(
    {"browsers", "custom_events", "custom_props", "entry_pages", "exit_pages", "operating_systems"}
)


def is_one(head: bytes) -> bool:
    return head.startswith(ZIP_MAGIC)


def parse(stream: IO[bytes], name: str, limits: Limits = BY_COMMAND) -> Counted:
    """Raises Refused, with file and line, for anything that is not understood."""
    counted = Counted(limits)
    with explained(name), zipfile.ZipFile(stream) as archive:
        tables = _tables(archive, name)
        if "visitors" not in tables:
            raise Refused(
                f"{name} has no imported_visitors….csv; take the zip as Plausible exported it."
            )
        for table, entry in tables.items():
            with archive.open(entry) as file:
                _read(file, f"{name}: {entry.filename}", table, counted)
    return counted


def _tables(archive: zipfile.ZipFile, name: str) -> dict[str, zipfile.ZipInfo]:
    """The files that we read, by table."""
    found: dict[str, zipfile.ZipInfo] = {}
    entries = [entry for entry in archive.infolist() if not _is_trimming(entry)]
    if len(entries) > MOST_FILES:
        raise Refused(f"{name} has {len(entries)} files; Plausible's export has ten.")
    for entry in entries:
        match = NAME.fullmatch(entry.filename.rpartition("/")[2])
        table = match[1] if match else ""
        if table in PASSED_OVER:
            continue
        if table not in TABLES:
            raise Refused(f"{name}: {entry.filename} is no file of Plausible's export.")
        if table in found:
            raise Refused(
                f"{name}: {entry.filename} and {found[table].filename} are the same table."
            )
        if entry.flag_bits & 0x1:
            raise Refused(f"{name}: {entry.filename} is encrypted.")
        if entry.compress_type not in UNPACKED_BIT_BY_BIT:
            raise Refused(
                f"{name}: {entry.filename} is packed as Plausible does not; take the zip as it"
                " exported it."
            )
        found[table] = entry
    return found


def _is_trimming(entry: zipfile.ZipInfo) -> bool:
    """Folders, and what a Mac adds to every archive."""
    return entry.is_dir() or entry.filename.startswith("__MACOSX/")


def _read(file: IO[bytes], name: str, table: str, counted: Counted) -> None:
    kind, columns, value_of = TABLES[table]

    def take(line: Line) -> None:
        visits = whole_number(line, "visits")
        counted.add(
            day_of(line["date"]),
            kind,
            value_of(line),
            # Where it was not told, each visit had one at least.
            whole_number(line, "pageviews", default=visits),
            visits,
            whole_number(line, "visitors"),
        )

    each_line(file, name, ("date", "visitors", *columns), take, counted)
