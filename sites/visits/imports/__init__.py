"""Days of another counter, brought in beside our own and taken out again.

An import is all or nothing. Days on which our counter counted, or still counts, and those that
another import has are left to them: nobody is counted twice.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from io import SEEK_END
from typing import IO, TYPE_CHECKING

from django.db import connection, transaction

from sites.errors import Refused
from sites.models import ImportedDay, Kind, Site, VisitDay, VisitImport
from sites.visits.imports import goatcounter, plausible
from sites.visits.imports.tables import BY_COMMAND, IN_A_REQUEST, Counted, Limits
from sites.visits.rollup import each

if TYPE_CHECKING:
    from django.contrib.auth.models import User

__all__ = ["IN_A_REQUEST", "load", "undo"]

# ruff: noqa: S608  what is put into the SQL below are our own words

PARSERS = {
    VisitImport.Source.GOATCOUNTER: goatcounter,
    VisitImport.Source.PLAUSIBLE: plausible,
}
COPIED = f"""
    COPY sites_importedday (visit_import_id, kind, day, value, {each("{0}")})
    FROM STDIN (FORMAT binary)
"""
TYPES = ["int8", "int2", "date", "varchar", "int8", "int8", "int8", "int8"]
ADDED = f"""
    INSERT INTO sites_visitday AS d (site_id, kind, day, value, {each("{0}")})
    SELECT %(site)s, kind, day, value, {each("{0}")}
    FROM sites_importedday WHERE visit_import_id = %(import)s
    ON CONFLICT (site_id, day, kind, value) DO UPDATE SET {each("{0} = d.{0} + excluded.{0}")}
"""
TAKEN_OUT = f"""
    UPDATE sites_visitday d SET {each("{0} = d.{0} - i.{0}")}
    FROM sites_importedday i
    WHERE (i.kind, i.day, i.value) = (d.kind, d.day, d.value)
        AND d.site_id = %(site)s AND i.visit_import_id = %(import)s
"""
EMPTIED = f"""
    DELETE FROM sites_visitday d USING sites_importedday i
    WHERE (i.kind, i.day, i.value) = (d.kind, d.day, d.value)
        AND d.site_id = %(site)s AND i.visit_import_id = %(import)s
        AND ({each("d.{0}")}) = (0, 0, 0, 0)
"""


def load(
    site: Site,
    stream: IO[bytes],
    name: str,
    *,
    source: str = "",
    creator: User | None = None,
    beside_own: bool = False,
    limits: Limits = BY_COMMAND,
) -> VisitImport:
    """Import a file; ``source`` is one of ``VisitImport.Source``, or empty: as the file looks.

    ``beside_own`` adds the days on which our own counter counted, too. Raises Refused, with file
    and line, and nothing is imported then.
    """
    if stream.seek(0, SEEK_END) > limits.bytes:
        raise Refused(f"{name} has more than {limits.megabytes:,} MB; {limits.advice}.")
    stream.seek(0)
    source = source or _source(stream, name)
    counted = PARSERS[VisitImport.Source(source)].parse(stream, name, limits)
    with transaction.atomic():
        # One import of a site at a time: each looks at what the others brought.
        site = Site.objects.select_for_update(no_key=True).get(pk=site.pk)
        offered = {key.day for key in counted.sums}
        left = offered & _taken(site, offered, beside_own=beside_own)
        days = offered - left
        if not days:
            raise Refused(_why_nothing(name, offered))
        visit_import = VisitImport.objects.create(
            site=site,
            source=source,
            file_name=name[:255],
            creator=creator,
            first_day=min(days),
            last_day=max(days),
            pageviews=sum(
                sums[0]
                for key, sums in counted.sums.items()
                if key.kind == Kind.ALL and key.day in days
            ),
            days_left=len(left),
        )
        _copy(visit_import, counted, days)
        _run(visit_import, ADDED)
    return visit_import


def undo(visit_import: VisitImport) -> None:
    """Take out what an import brought; what was counted otherwise stays as it is."""
    with transaction.atomic():
        _run(visit_import, TAKEN_OUT, EMPTIED)
        ImportedDay.objects.filter(visit_import=visit_import).delete()
        visit_import.delete()


def _source(stream: IO[bytes], name: str) -> VisitImport.Source:
    head = stream.read(64)
    stream.seek(0)
    for source, parser in PARSERS.items():
        if parser.is_one(head):
            return source
    raise Refused(f"{name} is neither GoatCounter's CSV export nor the zip that Plausible exports.")


def _taken(site: Site, days: set[date], *, beside_own: bool) -> set[date]:
    """The days that another import has, and those on which our own counter counted, or may still
    count."""
    within = {"kind": Kind.ALL, "day__range": (min(days), max(days))} if days else {"day": None}
    imported = set(
        ImportedDay.objects.filter(visit_import__site=site, **within).values_list("day", flat=True)
    )
    if beside_own:
        return imported
    today = datetime.now(UTC).date()
    ours = VisitDay.objects.filter(site=site, **within).values_list("day", flat=True)
    return imported.union(ours, (day for day in days if site.has_counter and day >= today))


def _why_nothing(name: str, offered: set[date]) -> str:
    if not offered:
        return f"{name} has no pageviews."
    return (
        f"Every day of {name}, from {min(offered)} to {max(offered)}, is counted already, by our"
        " own counter or by another import; undo that one first if this one is better."
    )


def _copy(visit_import: VisitImport, counted: Counted, days: set[date]) -> None:
    with connection.cursor() as cursor, cursor.copy(COPIED) as copy:
        copy.set_types(TYPES)
        for (day, kind, value), sums in counted.sums.items():
            if day in days:
                copy.write_row((visit_import.pk, int(kind), day, value, *sums))


def _run(visit_import: VisitImport, *statements: str) -> None:
    values = {"site": visit_import.site_id, "import": visit_import.pk}
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement, values)
