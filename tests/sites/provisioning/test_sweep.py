"""The short sweep: some changes killed after, some lost, some refused.

``make sweep`` is the whole one, and says how to run one strike alone.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sweep.clouds import Lives, clouds
from tests.sweep.life import Life
from tests.sweep.points import short
from tests.sweep.strikes import UNDISTURBED, Mode
from tests.sweep.verdict import judge

# Counters cannot be counted again; the zone is the person's own.
REMAINS = {
    "record zone-SITE.com. NS",
    "record zone-SITE.com. SOA",
    "snapshot of cloudadmin-ACCOUNT",
}


@pytest.fixture(scope="module")
def lives() -> Iterator[Lives]:
    with clouds(workers=1) as lives:
        yield lives


@pytest.fixture(scope="module")
def undisturbed(lives: Lives) -> Life:
    (life,) = lives([UNDISTURBED])
    return life


def test_an_undisturbed_life_goes_up_there_and_back_and_leaves_nothing(undisturbed: Life):
    assert judge(undisturbed, undisturbed).problems == ()
    listed = {stage.name: stage.listed for stage in undisturbed.stages}
    assert set(listed["site up"].values()) == {1}
    assert listed["site whole"] == listed["site changed"]
    assert listed["account down"].keys() == REMAINS
    assert undisturbed.is_over


@pytest.mark.parametrize("mode", [Mode.AFTER, Mode.LOST, Mode.REFUSED])
def test_struck_it_ends_the_same(lives: Lives, undisturbed: Life, mode: Mode):
    strikes = [
        strike
        for strikes in short(undisturbed).values()
        for strike in strikes
        if strike.mode == mode
    ]
    verdicts = [judge(life, undisturbed) for life in lives(strikes)]
    assert {
        str(verdict.strike): verdict.problems for verdict in verdicts if not verdict.is_ok
    } == {}
    assert all(verdict.points for verdict in verdicts)
