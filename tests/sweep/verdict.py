"""What is wrong with a struck life, beside an undisturbed one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sites.provisioning import Done
from tests.sweep.life import Life, Stage
from tests.sweep.strikes import BY_CHANCE, Mode, Strike

MOST_RESUMES = 2
# By chance a call can fail as often as the SDK sends it; an operation tries five times by itself.
MOST_BY_CHANCE = 4


def most_resumes(mode: Mode) -> int:
    return MOST_BY_CHANCE if mode in BY_CHANCE else MOST_RESUMES


@dataclass(frozen=True)
class Verdict:
    """``points`` are the calls that were hit; ``resumes`` the most that one stage needed."""

    strike: Strike
    calls: int
    points: int
    resumes: int
    is_stuck: bool
    duplicates: Counter[str]
    leaks: Counter[str]
    problems: tuple[str, ...]

    @property
    def is_ok(self) -> bool:
        return not self.problems


def judge(life: Life, undisturbed: Life) -> Verdict:
    more: Counter[str] = Counter()
    problems = []
    for stage, reference in zip(life.stages, undisturbed.stages, strict=False):
        more |= stage.listed - reference.listed
        told = list(_wrong(stage, reference, life.strike))
        problems += [f"{stage.name}: {each}" for each in dict.fromkeys(told)]
    problems += [
        f"{what} was sent with {len(sent)} tokens"
        for what, sent in life.tokens.items()
        if len(sent) > 1
    ]
    known = {thing for stage in undisturbed.stages for thing in stage.listed}
    return Verdict(
        strike=life.strike,
        calls=sum(len(stage.sent.changes) + len(stage.sent.reads) for stage in life.stages),
        points=sum(len(stage.sent.struck) for stage in life.stages),
        resumes=max(stage.resumes for stage in life.stages),
        is_stuck=any(stage.outcome != Done() for stage in life.stages),
        duplicates=Counter({thing: more[thing] for thing in more if thing in known}),
        leaks=Counter({thing: more[thing] for thing in more if thing not in known}),
        problems=tuple(problems),
    )


def _wrong(stage: Stage, reference: Stage, strike: Strike) -> Iterator[str]:
    if stage.outcome != Done():
        yield f"stuck at {stage.outcome}; failures: {stage.failures[-1:]}"
    elif stage.listed != reference.listed:
        yield (
            f"too much: {sorted((stage.listed - reference.listed).elements())}; "
            f"too little: {sorted((reference.listed - stage.listed).elements())}"
        )
    if stage.resumes > most_resumes(strike.mode):
        yield f"{stage.resumes} resumes; failures: {stage.failures[:3]}"
    if strike.mode == Mode.REFUSED and not strike.reads and stage.sent.struck:
        # A pass tells of one; two strikes may have met in it. What a refused read was asked for
        # may be answered by the next one.
        told = " ".join(stage.failures)
        if not any(operation.partition(".")[2] in told for operation in stage.sent.struck):
            yield f"nobody was told of {stage.sent.struck}: {stage.failures[:3]}"
    yield from stage.problems


def unstruck(lives: Iterable[Life], undisturbed: Life) -> dict[str, list[str]]:
    """The changes that none of the lives had struck, each with its stages."""
    struck = {(s.name, call) for life in lives for s in life.stages for call in s.sent.struck}
    missed: dict[str, list[str]] = {}
    for stage in undisturbed.stages:
        for call in dict.fromkeys(stage.sent.changes):
            if (stage.name, call) not in struck:
                missed.setdefault(call, []).append(stage.name)
    return missed
