"""Laws of the policy evaluation, the cache and the ranges: pure functions, any input."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.edge.cache import OVERHEAD, Cache, Stored, ttl
from localcloud.edge.config import Behavior, CachePolicy
from localcloud.edge.event import Request
from localcloud.edge.policy import SERVICE, allows
from localcloud.edge.respond import finish

DISTRIBUTION = "arn:aws:cloudfront::123456789012:distribution/E1"
CONTEXT = {
    "AWS:SourceArn": DISTRIBUTION,
    "AWS:SourceAccount": "123456789012",
    "aws:SecureTransport": "true",
}

statements = st.fixed_dictionaries(
    {
        "Effect": st.sampled_from(["Allow", "Deny"]),
        "Principal": st.sampled_from(["*", {"Service": SERVICE}, {"Service": "s3.amazonaws.com"}]),
        "Action": st.sampled_from(["s3:GetObject", "s3:*", ["s3:PutObject"]]),
        "Resource": st.sampled_from(["arn:aws:s3:::b/*", "arn:aws:s3:::b/private/*", "*"]),
    },
    optional={
        "Condition": st.sampled_from(
            [
                {"StringEquals": {"AWS:SourceArn": DISTRIBUTION}},
                {"ArnLike": {"aws:sourcearn": "arn:aws:cloudfront::123456789012:distribution/*"}},
                {"StringEquals": {"AWS:SourceArn": "another"}},
                {"Bool": {"aws:SecureTransport": "false"}},
                {"NoSuchOperator": {"AWS:SourceArn": DISTRIBUTION}},
            ]
        )
    },
)


def allowed(found: list[dict]) -> bool:
    policy = {"Statement": found}
    return allows(policy, "s3:GetObject", "arn:aws:s3:::b/k", CONTEXT, service=SERVICE)


@given(st.lists(statements))
def test_nothing_is_allowed_without_an_allow(found):
    assert not allowed([each for each in found if each["Effect"] == "Deny"])


@given(st.lists(statements), st.randoms(use_true_random=False))
def test_the_order_of_statements_does_not_matter(found, order: random.Random):
    shuffled = order.sample(found, len(found))
    assert allowed(found) == allowed(shuffled)


@given(st.lists(statements))
def test_a_deny_beats_every_allow(found):
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}
    assert not allowed([*found, deny])


def test_a_deny_of_plain_http_does_not_concern_cloudfront():
    allow = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"}
    tls_only = {
        **allow,
        "Effect": "Deny",
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    assert allowed([allow, tls_only])


policies = st.builds(
    lambda low, middle, high: CachePolicy(low, low + middle, low + middle + high),
    *[st.integers(0, 10_000)] * 3,
)


@given(policies, st.integers(0, 10**9))
def test_a_max_age_is_kept_within_the_policy(policy, seconds):
    kept = ttl(policy, f"public, max-age={seconds}")
    assert policy.min_ttl <= kept <= policy.max_ttl
    assert kept == seconds or seconds in (
        min(seconds, policy.min_ttl),
        max(seconds, policy.max_ttl),
    )
    assert ttl(policy, f"s-maxage={seconds}, max-age=1") == kept


@pytest.mark.parametrize("word", ["no-store", "no-cache", "private", "private, max-age=100"])
def test_what_must_not_be_cached(word):
    assert ttl(CachePolicy(min_ttl=0), word) == 0


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3000)), max_size=60))
def test_the_cache_stays_within_its_bytes(puts):
    cache = Cache(limit=5 * OVERHEAD)
    for number, size in puts:
        cache.put(("E1", number), Stored(200, (), b"x" * size, ttl=60), cache.invalidations)
        assert cache.bytes <= cache.limit
        assert (cache.bytes == 0) == (len(cache) == 0)


def test_what_was_asked_for_before_an_invalidation_is_not_kept():
    cache = Cache()
    before = cache.invalidations
    cache.invalidate("E1", ["/*"])
    cache.put(("E1", "/"), Stored(200, (), b"old", ttl=60), before)
    assert cache.get(("E1", "/"), "/") is None


BEHAVIOR = Behavior.read({"TargetOriginId": "s3"})


@given(st.binary(min_size=1, max_size=50), st.integers(0, 60), st.integers(0, 60))
def test_a_range_is_a_slice(body, first, length):
    last = first + length
    request = Request("id", "GET", "/", "", {"range": f"bytes={first}-{last}"}, "203.0.113.9", "/")
    part = finish(Stored(200, (), body), request, BEHAVIOR)
    if first >= len(body):
        assert part.status == 416
    else:
        assert (part.status, part.body) == (206, body[first : last + 1])
