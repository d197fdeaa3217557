"""That a sweep leaves nothing out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.sweep.points import by_chance, by_name, spread
from tests.sweep.strikes import Mode, Strike


@given(most=st.integers(1, 300), in_each=st.integers(1, 20))
def test_every_number_is_struck_once(most, in_each):
    lives = [strike.at for strike in spread(Mode.AFTER, most, in_each)]
    assert sorted(number for at in lives for number in at) == [*range(1, most + 1)]
    assert all(1 <= len(at) <= in_each for at in lives)


@given(most=st.integers(1, 300), in_each=st.integers(1, 20), every=st.integers(1, 9))
def test_a_share_is_a_share_of_the_lives(most, in_each, every):
    all_lives = [*spread(Mode.AFTER, most, in_each)]
    assert [*spread(Mode.AFTER, most, in_each, every=every)] == all_lives[::every]


@given(st.lists(st.text(min_size=1), unique=True))
def test_what_is_struck_by_name_is_struck_once(names):
    lives = [strike.at for strike in by_name(Mode.LOST, names)]
    assert [name for at in lives for name in at] == names
    assert all(len(at) <= 2 for at in lives)


def test_each_seed_is_a_life_of_its_own():
    assert len({*by_chance(Mode.THROTTLED, 12)}) == 12


def test_a_strike_says_how_it_is_run_alone():
    assert str(Strike(Mode.AFTER, (3, 16))) == "--mode killed-after --at 3 16"
    assert str(Strike(Mode.LOST, (3,), reads=True)) == "--mode answer-lost --at 3 --reads"
    assert str(Strike(Mode.THROTTLED, seed=7)) == "--mode throttled --seed 7"
