"""That a bad life is found out, whatever is wrong with it."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest

from sites.provisioning import Done
from tests.sweep.life import Stage
from tests.sweep.strikes import Mode, Sent, Strike
from tests.sweep.verdict import judge, unstruck


def life(mode: Mode = Mode.AFTER, tokens: dict | None = None, **stage: Any) -> Any:
    """One of a single stage that made a bucket."""
    given = {"outcome": Done(), "listed": Counter(["bucket a"]), **stage}
    sent = given.pop("sent", Sent(changes=["s3.CreateBucket"], struck=["s3.CreateBucket"]))
    return SimpleNamespace(
        strike=Strike(mode, (1,)), stages=[Stage("site up", sent, **given)], tokens=tokens or {}
    )


def test_a_life_that_ends_the_same_is_ok():
    verdict = judge(life(resumes=2), life())
    assert verdict.is_ok
    assert (verdict.calls, verdict.points, verdict.resumes) == (1, 1, 2)


@pytest.mark.parametrize(
    ("stage", "said"),
    [
        ({"outcome": None}, "stuck"),
        ({"listed": Counter(["bucket a", "bucket a"])}, "too much: ['bucket a']"),
        ({"listed": Counter(["bucket a", "role b"])}, "too much: ['role b']"),
        ({"listed": Counter()}, "too little: ['bucket a']"),
        ({"resumes": 3}, "3 resumes"),
        ({"problems": ["the distribution lost a.com"]}, "lost a.com"),
    ],
)
def test_what_is_wrong_is_told(stage, said):
    (problem,) = judge(life(**stage), life()).problems
    assert said in problem


def test_a_second_one_is_a_duplicate_and_a_strange_one_is_a_leak():
    verdict = judge(life(listed=Counter(["bucket a", "bucket a", "role b"])), life())
    assert verdict.duplicates == Counter(["bucket a"])
    assert verdict.leaks == Counter(["role b"])


def test_a_refusal_that_nobody_was_told_of_is_found_out():
    assert judge(life(Mode.REFUSED, failures=["AccessDenied: s3:CreateBucket"]), life()).is_ok
    assert not judge(life(Mode.REFUSED, failures=["AccessDenied"]), life()).is_ok
    assert not judge(life(Mode.REFUSED), life()).is_ok


def test_a_create_has_one_token():
    assert judge(life(tokens={"CreateDistribution distribution 1": {"a"}}), life()).is_ok
    assert not judge(life(tokens={"CreateDistribution distribution 1": {"a", "b"}}), life()).is_ok


def test_what_no_life_had_struck_is_named():
    sent = Sent(changes=["s3.CreateBucket", "s3.PutBucketTagging"])
    assert unstruck([life()], life(sent=sent)) == {"s3.PutBucketTagging": ["site up"]}
