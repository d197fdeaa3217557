"""Which invalidation paths cover a change."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.invalidation import MAX_LENGTH, cover, covers

paths = st.sets(
    st.lists(st.text("ab~é*", min_size=1, max_size=3), min_size=1, max_size=4).map("/".join),
    max_size=30,
)


@given(paths, st.integers(1, 12))
def test_everything_is_covered_in_few_plain_paths(asked, limit):
    found = cover(asked, wildcard_above=limit)
    assert len(found) <= limit
    for path in asked:
        assert any(covers(pattern, "/" + path) for pattern in found)
    for pattern in found:
        assert set(pattern.removesuffix("*")) <= set("ab/")
        assert not any(covers(other, pattern) for other in found if other != pattern)


@given(paths)
def test_the_order_does_not_matter_and_covering_again_changes_nothing(asked):
    found = cover(asked)
    assert cover(sorted(asked, reverse=True)) == found
    assert cover(found) == found


@pytest.mark.parametrize(
    ("asked", "limit", "expected"),
    [
        ([], 10, []),
        (["index.html"], 10, ["/index.html"]),
        (["/b", "/a", "b"], 10, ["/a", "/b"]),
        (["/images/*", "/images/a.png"], 10, ["/images/*"]),
        (["/a~b.html"], 10, ["/a*"]),
        (["/café/menu.html"], 10, ["/caf*"]),
        (["/a b"], 10, ["/a*"]),
        (["/a*b"], 10, ["/a*"]),
        (["/?q=1"], 10, ["/*"]),
        (["/x/1", "/x/2", "/y/1"], 2, ["/x/*", "/y/1"]),
        (["/x/1", "/y/2", "/z/1"], 2, ["/*"]),
        (["/x/y/1", "/x/y/2", "/x/3"], 2, ["/x/3", "/x/y/*"]),
    ],
)
def test_examples(asked, limit, expected):
    assert cover(asked, wildcard_above=limit) == expected


def test_a_path_that_is_too_long_is_cut():
    (found,) = cover(["/" + "a" * 5000])
    assert len(found) == MAX_LENGTH


def test_a_limit_below_one_is_refused():
    with pytest.raises(ValueError, match="at least 1"):
        cover(["/a"], wildcard_above=0)
