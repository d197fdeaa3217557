"""Which invalidation paths cover a change."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.invalidations.paths import (
    EXAMPLES,
    MAX_LENGTH,
    Taken,
    cover,
    covers,
    normalized,
    taken,
    wildcards,
)

names = st.text("ab~é* %?", min_size=1, max_size=3)
path_texts = st.lists(names, min_size=1, max_size=4).map("/".join)
paths = st.sets(path_texts, max_size=30)
UNLIMITED = 1_000


@given(paths, st.integers(1, 12))
def test_everything_is_covered_in_few_plain_paths(asked, limit):
    found = cover(asked, wildcard_above=limit)
    assert len(found) <= min(limit, len(asked))
    assert wildcards(found) <= len(found)
    for path in asked:
        assert any(covers(pattern, "/" + path) for pattern in found)
    for pattern in found:
        assert set(pattern.removesuffix("*")) <= set("ab/")
        assert not any(covers(other, pattern) for other in found if other != pattern)


@given(paths, st.integers(1, 12))
def test_the_order_does_not_matter_and_covering_again_changes_nothing(asked, limit):
    found = cover(asked, wildcard_above=limit)
    assert cover(sorted(asked, reverse=True), wildcard_above=limit) == found
    assert cover(found, wildcard_above=limit) == found


@given(paths, paths)
def test_who_asks_for_more_gets_no_less(asked, more):
    found = cover(asked | more, wildcard_above=UNLIMITED)
    for pattern in cover(asked, wildcard_above=UNLIMITED):
        assert any(covers(other, pattern) for other in found)


@given(paths, st.integers(1, 12))
def test_a_tighter_limit_takes_no_less(asked, limit):
    tight = cover(asked, wildcard_above=limit)
    for pattern in cover(asked, wildcard_above=limit + 1):
        assert any(covers(other, pattern) for other in tight)


@given(st.sets(st.text("ab/", min_size=1, max_size=6).map(lambda path: "/" + path), max_size=10))
def test_plain_paths_are_sent_as_they_are_while_they_are_few(asked):
    assert cover(asked) == sorted(asked)


@pytest.mark.parametrize(
    ("asked", "limit", "expected"),
    [
        ([], 10, []),
        (["index.html"], 10, ["/index.html"]),
        (["/b", "/a", "b"], 10, ["/a", "/b"]),
        (["/images/*", "/images/a.png"], 10, ["/images/*"]),
        (["/a~b.html"], 10, ["/a*"]),
        (["/a%20b.html", "/50%.html"], 10, ["/50*", "/a*"]),
        (["/café/menu.html"], 10, ["/caf*"]),
        (["/a b"], 10, ["/a*"]),
        (["/a*b"], 10, ["/a*"]),
        (["/?q=1"], 10, ["/*"]),
        (["/x/1", "/x/2", "/y/1"], 2, ["/x/*", "/y/1"]),
        (["/x/1", "/y/2", "/z/1"], 2, ["/*"]),
        (["/x/y/1", "/x/y/2", "/x/3"], 2, ["/x/3", "/x/y/*"]),
        (["/x/1", "/y/1", "/y/2", "/y/3", "/x/2"], 3, ["/x/1", "/x/2", "/y/*"]),
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


# --- As people give them --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("feed.xml", "/feed.xml"),
        (" /data/* ", "/data/*"),
        ("https://example.com/a/b?c=d", "/a/b?c=d"),
        ("HTTP://example.com:8080", "/"),
        ("//twice", "/twice"),
        ("*", "/*"),
    ],
)
def test_an_address_is_a_path(given, expected):
    assert normalized(given) == expected


@pytest.mark.parametrize(
    ("given", "told"),
    [("", "empty"), ("  ", "empty"), ("#news", "cache tag"), ("/a\0b", "control character")],
)
def test_what_names_nothing_is_refused_in_words(given, told):
    with pytest.raises(ValueError, match=told):
        normalized(given)


# --- What is taken besides ------------------------------------------------------------------------


@given(paths, paths)
def test_what_is_taken_is_what_was_not_asked_for(asked, files):
    asked = {normalized(path) for path in asked if path.strip()}
    sent = cover(asked)
    told = taken(sent, asked, files)
    assert len({each.path for each in told}) == len(told)
    for each in told:
        assert each.path in sent
        assert len(each.examples) == min(each.count, EXAMPLES)
        for file in each.examples:
            assert file[1:] in files
            assert covers(each.path, file)
            assert not any(covers(path, file) for path in asked)
    besides = [file for file in files if any(covers(path, "/" + file) for path in sent)]
    assert sum(each.count for each in told) <= len(besides)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (["/caf*"], []),
        (["/café.html"], [Taken("/caf*", 2, ("/cafe.html", "/café/x"))]),
        (["/caf%C3%A9.html"], [Taken("/caf*", 2, ("/cafe.html", "/café/x"))]),
        (["/café.html?size=2"], [Taken("/caf*", 2, ("/cafe.html", "/café/x"))]),
        (["/café.html", "/café/*"], [Taken("/caf*", 1, ("/cafe.html",))]),
        (["/index.html"], []),
    ],
)
def test_taken(asked, expected):
    files = ["café.html", "cafe.html", "index.html", "café/x"]
    assert taken(cover(asked), asked, files) == expected
