"""What the pages show as CSV and JSON, whole: for spreadsheets, and to take along."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sites.models import Site
from sites.visits import query
from sites.visits.breakdowns import BY_SLUG
from sites.visits.query import MEASURES, Sites
from sites.visits.ranges import Range

LINE, LEFT_OUT, SITES = "line", "left-out", "sites"
TABLES = (LINE, *BY_SLUG, LEFT_OUT)
# A spreadsheet runs what begins so. https://owasp.org/www-community/attacks/CSV_Injection
FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n")


@dataclass(frozen=True)
class Export:
    """``name`` is one of TABLES, or SITES; ``site`` is None for all of them."""

    name: str
    site: Site | None
    range: Range
    columns: tuple[str, ...]
    rows: Sequence[Sequence[Any]]

    @property
    def file_name(self) -> str:
        """Without its ending, as in “shop-pages-2026-01-01-2026-01-31”."""
        whose = self.site.name if self.site else "all-sites"
        return f"{whose}-{self.name}-{self.range.first}-{self.range.last}"

    def as_csv(self) -> str:
        """RFC 4180, with the names of the columns first."""
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(self.columns)
        writer.writerows([defused(cell) for cell in row] for row in self.rows)
        return text.getvalue()

    def as_json(self) -> str:
        rows = [dict(zip(self.columns, row, strict=True)) for row in self.rows]
        about = {
            "site": self.site.name if self.site else None,
            "table": self.name,
            "first": str(self.range.first),
            "last": str(self.range.last),
        }
        return json.dumps({**about, "rows": rows}, ensure_ascii=False)


def export(name: str, site: Site | None, range: Range, *, among: Sites = None) -> Export:
    """One table, all of its rows. ValueError, in words, for one that there is not.

    Without a site it is of all ``among``, which is all there are when that is None.
    """
    sites = among if site is None else [site]
    columns: tuple[str, ...]
    rows: list[Any]
    if name == LINE:
        columns = ("at", *MEASURES)
        rows = [(at.isoformat(), *sums) for at, *sums in query.series(sites, range)]
    elif name == SITES and site is None:
        columns = ("site", *MEASURES, "share")
        rows = [
            (row.name, *row[2:-1], _share(row.share))
            for row in query.by_site(range, None, sites=sites)
        ]
    elif name == LEFT_OUT and site is not None:
        columns = ("reason", "hits")
        rows = [(row.value, row.pageviews) for row in query.left_out(site, range)]
    elif name in BY_SLUG:
        breakdown = BY_SLUG[name]
        columns = (breakdown.column.lower(), *MEASURES, "share")
        found = query.top(sites, range, breakdown.kind, limit=None)
        rows = [(*row[:-1], _share(row.share)) for row in found]
    else:
        raise ValueError(f"There is no table “{name[:60]}”; take one of {', '.join(TABLES)}.")
    return Export(name, site, range, columns, rows)


def defused(cell: Any) -> Any:
    """A cell that no spreadsheet takes for a formula."""
    is_formula = isinstance(cell, str) and cell.startswith(FORMULAS)
    return f"'{cell}" if is_formula else cell


def _share(share: float) -> float:
    return round(share, 6)
