"""Which strikes make a sweep: the whole one, and the short one that the gate runs."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from tests.sweep.life import Life
from tests.sweep.strikes import BY_CHANCE, GARBLED, Mode, Strike

SEEDS = 12
Sweep = dict[str, list[Strike]]


def whole(undisturbed: Life) -> Sweep:
    """Every change in each mode: killed after, the hard one, and refused one in each stage of a
    life; in the others as many as there may be resumes, and more of the lost reads."""
    changes, reads = _longest(undisturbed)
    return {
        str(Mode.AFTER): [*spread(Mode.AFTER, changes)],
        str(Mode.BEFORE): [*spread(Mode.BEFORE, changes, 2)],
        str(Mode.LOST): [*spread(Mode.LOST, changes, 2)],
        f"{Mode.LOST}, reads": [*spread(Mode.LOST, reads, 12, reads=True)],
        str(Mode.REFUSED): [*spread(Mode.REFUSED, changes)],
        f"{Mode.REFUSED}, reads": [*spread(Mode.REFUSED, reads, 2, reads=True)],
        **{f"{mode}, a third": [*spread(mode, changes, 2, every=3)] for mode in GARBLED},
        **{str(mode): [*by_chance(mode, SEEDS)] for mode in CHANCES},
    }


def short(undisturbed: Life) -> Sweep:
    """Three lives, drawn anew each time; a failure says how to run its strike alone."""
    changes, _ = _longest(undisturbed)
    return {
        f"{Mode.AFTER}, drawn": random.sample([*spread(Mode.AFTER, changes, 2)], 1),
        f"{Mode.LOST}, drawn": random.sample([*spread(Mode.LOST, changes, 13)], 1),
        f"{Mode.REFUSED}, drawn": random.sample([*spread(Mode.REFUSED, changes, 2)], 1),
    }


CHANCES = tuple(mode for mode in Mode if mode in BY_CHANCE)


def spread(
    mode: Mode, most: int, in_each: int = 1, *, reads: bool = False, every: int = 1
) -> Iterator[Strike]:
    """Strikes that hit each number up to ``most`` once, ``in_each`` in a life, far apart.

    ``every`` leaves out lives: 3 keeps the first, the fourth and so on.
    """
    lives = -(-most // in_each)
    for first in range(1, lives + 1, every):
        yield Strike(mode, tuple(range(first, most + 1, lives)), reads)


def by_name(mode: Mode, operations: Sequence[str]) -> Iterator[Strike]:
    """Two in a life; for what numbers missed, since the order of calls hangs on what is ready."""
    for first in range(0, len(operations), 2):
        yield Strike(mode, tuple(operations[first : first + 2]))


def by_chance(mode: Mode, seeds: int) -> Iterator[Strike]:
    yield from (Strike(mode, seed=seed) for seed in range(1, seeds + 1))


def _longest(life: Life) -> tuple[int, int]:
    """The most changes and the most reads that a stage has."""
    changes, reads = (
        max(len(stage.sent.numbers[reads]) for stage in life.stages) for reads in (False, True)
    )
    return changes, reads
