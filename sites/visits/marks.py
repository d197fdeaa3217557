"""What other apps know about the time of visits: deployments, which this app must not import.

They register at start (``AppConfig.ready``); whoever shows a line of visits asks here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from sites.models import Site
from sites.visits.ranges import Range


class Mark(NamedTuple):
    """Something that happened, with the page that tells of it."""

    at: datetime
    label: str
    url: str


class Release(NamedTuple):
    """What a release number of the counter is called, with the page that tells of it."""

    label: str
    url: str


Marking = Callable[[Sequence[Site], Range], Iterable[Mark]]
Naming = Callable[[Site, Sequence[str]], dict[str, Release]]
_markings: list[Marking] = []
_namings: list[Naming] = []


def register(marking: Marking) -> None:
    """Have ``marks`` ask it too; once, however often it is registered."""
    if marking not in _markings:
        _markings.append(marking)


def register_names(naming: Naming) -> None:
    """Have ``releases`` ask it too."""
    if naming not in _namings:
        _namings.append(naming)


def marks(sites: Sequence[Site], range: Range) -> list[Mark]:
    """All marks of the sites in the range, the oldest first."""
    return sorted(mark for marking in _markings for mark in marking(sites, range))


def releases(site: Site, numbers: Sequence[str]) -> dict[str, Release]:
    """By their number as the counter has it, those that are known."""
    return {number: name for naming in _namings for number, name in naming(site, numbers).items()}
