"""One table in Markdown, and how numbers are written in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from statistics import median


@dataclass(frozen=True)
class Row:
    """One line: ours, what stands beside it, and ours : theirs."""

    what: str
    ours: str
    beside: str = ""
    ratio: str = ""
    note: str = ""


def seconds(samples: Sequence[float]) -> str:
    """The median with its range: ``2.31 s (2.20 to 2.64)``."""
    return f"{median(samples):.2f} s ({min(samples):.2f} to {max(samples):.2f})"


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> str:
    """Ours : theirs, of the medians, the smaller of them as 1."""
    if not ours or not theirs:
        return ""
    share = median(ours) / median(theirs)
    return f"1 : {1 / share:.1f}" if share < 1 else f"{share:.1f} : 1"


def percentile(samples: Sequence[float], share: float) -> float:
    return sorted(samples)[min(len(samples) - 1, int(len(samples) * share))]


def markdown(rows: Iterable[Row]) -> str:
    header = ("what", "cloudadmin", "beside it", "ratio", "note")
    cells = [header, *map(astuple, rows)]
    widths = [max(len(row[n]) for row in cells) for n in range(len(header))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in cells
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])
