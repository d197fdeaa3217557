"""``make sweep``: one row for each way to strike; exit code 1 when any life ended otherwise."""

from __future__ import annotations

import argparse
import signal
import sys
import time

from rich.console import Console
from rich.table import Table

# Before Django is asked for anything: a PostgreSQL for the local clouds.
import tests.services  # noqa: F401
from tests.sweep import points
from tests.sweep.clouds import WORKERS, clouds, struck_each
from tests.sweep.life import Life
from tests.sweep.strikes import UNDISTURBED, Mode, Strike
from tests.sweep.verdict import Verdict, judge, most_resumes

WIDTH = 120
COLUMNS = ("struck", "lives", "ok", "calls", "points", "duplicates", "leaks", "stuck", "resumes")
# Whose strikes leave out no change.
EACH_CHANGE = (Mode.AFTER, Mode.BEFORE, Mode.LOST, Mode.REFUSED)


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what runs is stopped
    given = _arguments()
    console, began = Console(width=WIDTH), time.monotonic()
    verdicts: list[Verdict] = []
    with clouds(given.workers) as lives:
        (undisturbed,) = lives([UNDISTURBED])
        table = _table(given)
        for name, strikes in {"undisturbed": [UNDISTURBED], **_sweep(given, undisturbed)}.items():
            since = time.monotonic()
            struck = (
                struck_each(lives, strikes, undisturbed) if name in EACH_CHANGE else lives(strikes)
            )
            found = [judge(life, undisturbed) for life in struck]
            verdicts += found
            table.add_row(name, *_cells(found), f"{time.monotonic() - since:.0f} s")
            _tell(name, found, console)
    console.print(table)
    _describe(undisturbed, console)
    console.print(f"{time.monotonic() - began:.0f} s, {len(verdicts)} lives")
    return int(not all(verdict.is_ok for verdict in verdicts))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.sweep", description=__doc__)
    parser.add_argument("--short", action="store_true", help="what the gate runs")
    parser.add_argument("--mode", type=Mode, choices=[*Mode], help="this one alone")
    parser.add_argument("--at", type=_call, nargs="+", help="these calls of each stage alone")
    parser.add_argument("--reads", action="store_true", help="reads, in place of changes")
    parser.add_argument("--seed", type=int, help="this seed alone, of a mode by chance")
    parser.add_argument("--workers", type=int, default=WORKERS, help="lives at a time")
    return parser.parse_args()


def _call(text: str) -> int | str:
    """A call by its number, or by the name of its operation."""
    return int(text) if text.isdigit() else text


def _sweep(given: argparse.Namespace, undisturbed: Life) -> points.Sweep:
    sweep = (points.short if given.short else points.whole)(undisturbed)
    if given.mode is None:
        return sweep
    if given.at or given.seed is not None:
        one = Strike(given.mode, tuple(given.at or ()), given.reads, given.seed or 0)
        return {str(one): [one]}
    return {
        name: strikes
        for name, strikes in sweep.items()
        if strikes[0].mode == given.mode and strikes[0].reads == given.reads
    }


def _table(given: argparse.Namespace) -> Table:
    table = Table(title=f"Account and site, up, changed and down; {given.workers} lives at a time")
    for column in COLUMNS:
        table.add_column(column, justify="left" if column == "struck" else "right")
    table.add_column("wall time", justify="right")
    return table


def _cells(verdicts: list[Verdict]) -> list[str]:
    most = most_resumes(verdicts[0].strike.mode)
    return [
        str(cell)
        for cell in (
            len(verdicts),
            sum(verdict.is_ok for verdict in verdicts),
            sum(verdict.calls for verdict in verdicts),
            sum(verdict.points for verdict in verdicts),
            sum(verdict.duplicates.total() for verdict in verdicts),
            sum(verdict.leaks.total() for verdict in verdicts),
            sum(verdict.is_stuck for verdict in verdicts),
            f"{max(verdict.resumes for verdict in verdicts)} of {most}",
        )
    ]


def _tell(name: str, verdicts: list[Verdict], console: Console) -> None:
    """What is bad, and how to see it alone."""
    console.print(f"{name}: {sum(verdict.is_ok for verdict in verdicts)} of {len(verdicts)} ok")
    for verdict in verdicts:
        if not verdict.is_ok:
            console.print(f'  make sweep ARGS="{verdict.strike}"', markup=False)
            for problem in verdict.problems:
                console.print(f"    {problem}", markup=False, soft_wrap=True)


def _describe(undisturbed: Life, console: Console) -> None:
    changes = sum(len(stage.sent.changes) for stage in undisturbed.stages)
    reads = sum(len(stage.sent.reads) for stage in undisturbed.stages)
    console.print(
        f"An undisturbed life makes {changes} changes and {reads} reads in "
        f"{len(undisturbed.stages)} stages. A kill at a read is the kill at the change next to it."
    )


if __name__ == "__main__":
    sys.exit(main())
