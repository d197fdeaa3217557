"""Whatever a body holds is read, or refused in a sentence."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.pushes.payload import Other, Ping, Push, Unreadable, read
from tests.deployments.pushes.origin import pushed

SHA = "c0ffee" + "0" * 34
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)
NAMES = st.sampled_from(["ref", "before", "after", "zen", "deleted", "repository", "head_commit"])


def push_of(body: bytes) -> Push:
    push = read(body)
    assert isinstance(push, Push)
    return push


def test_a_push_says_what_was_pushed_and_by_whom():
    assert read(pushed(SHA, "refs/heads/feature/Login")) == Push(
        "acme/shop", "refs/heads/feature/Login", SHA, "Spring", "Ada"
    )
    assert push_of(pushed(SHA, head_commit=None)).author == "ada"


@pytest.mark.parametrize(
    ("ref", "branch"),
    [("refs/heads/a/b", "a/b"), ("refs/tags/v1", ""), ("refs/heads/refs/heads/x", "refs/heads/x")],
)
def test_branches_are_told_from_tags(ref, branch):
    assert push_of(pushed(SHA, ref)).branch == branch


def test_a_deleted_branch_has_no_commit():
    assert push_of(pushed("0" * 40)).sha == ""
    assert push_of(pushed(SHA, deleted=True)).sha == ""


def test_other_events_are_known_by_what_they_say():
    named = {"repository": {"full_name": "acme/shop"}}
    assert read(json.dumps({"zen": "Keep it simple.", **named}).encode()) == Ping("acme/shop")
    assert read(json.dumps({"action": "opened", **named}).encode()) == Other("acme/shop")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"payload=%7B%7D",
        b"[]",
        b"\xff",
        b"[" * 100_000,
        pushed("--upload-pack=x"),
        pushed(SHA.upper()),
        pushed(SHA, "main"),
    ],
)
def test_what_is_not_githubs_is_refused(body):
    with pytest.raises(Unreadable, match=r"\.$"):
        read(body)


@given(st.dictionaries(NAMES, ANY) | ANY)
def test_no_body_is_an_error_of_ours(value):
    try:
        said = read(json.dumps(value).encode())
    except Unreadable:
        return
    assert "\0" not in repr(said)


@given(st.binary(max_size=200))
def test_no_bytes_are_an_error_of_ours(body):
    with pytest.raises(Unreadable):
        read(b"\x00" + body)
