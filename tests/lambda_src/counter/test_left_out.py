from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.lambda_src.counter.containers import container

MODULE = container("left_out")


@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from(["limit", "head"]))))
def test_everything_is_told_once_and_no_sooner_than_after_five_seconds(steps):
    left_out, told, told_at = MODULE.LeftOut(), [], []
    now = 1_772_366_400.0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MODULE.time, "time", lambda: now)
        for seconds, reason in steps:
            now += seconds
            left_out.add(reason)
            hits = left_out.take()
            if hits is not None:
                told.append(hits)
                told_at.append(now)
        now += 5
        told.append(left_out.take())

    assert sum(sum(hits.values()) for hits in told) == len(steps)
    assert all(b - a >= 5 for a, b in zip(told_at, told_at[1:], strict=False))


def test_a_clock_that_was_set_back_does_not_silence_it(monkeypatch):
    left_out = MODULE.LeftOut()
    left_out.take()
    monkeypatch.setattr(left_out, "_told_at", left_out._told_at + 3600)

    assert left_out.take() == {}
