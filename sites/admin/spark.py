"""A small line of visits, drawn by the server: no script, no library."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sites.visits.query import Point

WIDTH, HEIGHT = 300, 56
# So that the line is not cut at its thickest.
EDGE = 2


class Spark(NamedTuple):
    """Attributes of an SVG: ``line`` and ``area`` are its paths. ``most`` pageviews on a day."""

    line: str
    area: str
    width: int
    height: int
    most: int


def spark(points: Sequence[Point]) -> Spark | None:
    """None where there is nothing to draw."""
    most = max((point.pageviews for point in points), default=0)
    if not most or len(points) < 2:
        return None
    step = WIDTH / (len(points) - 1)
    room = HEIGHT - 2 * EDGE
    steps = [
        f"{number * step:.1f} {EDGE + room * (1 - point.pageviews / most):.1f}"
        for number, point in enumerate(points)
    ]
    line = "M" + "L".join(steps)
    return Spark(line, f"{line}L{WIDTH} {HEIGHT}L0 {HEIGHT}Z", WIDTH, HEIGHT, most)
