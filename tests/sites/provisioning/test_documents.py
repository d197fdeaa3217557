from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sites.provisioning.documents import differences, ordered, overlay, project

LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
DOCUMENTS = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=12,
)
DICTS = st.dictionaries(st.text(max_size=3), DOCUMENTS, max_size=4)


@given(DICTS)
def test_a_document_does_not_differ_from_itself(document):
    assert differences(ordered(document), project(document, document)) == {}


@given(DICTS, DICTS)
def test_an_overlaid_document_is_as_desired(actual, desired):
    assert differences(ordered(desired), project(desired, overlay(actual, desired))) == {}


@given(DICTS, DICTS)
def test_an_overlay_keeps_what_is_not_spoken_of(actual, desired):
    kept = overlay(actual, desired)
    assert {key: kept[key] for key in actual if key not in desired} == {
        key: value for key, value in actual.items() if key not in desired
    }


@given(DOCUMENTS)
def test_ordered_twice_is_ordered_once(document):
    assert ordered(ordered(document)) == ordered(document)


def test_lists_that_are_sets_are_compared_as_sets():
    desired = {"Items": [{"Id": "b", "x": 1}, {"Id": "a"}], "Names": ["y", "x"]}
    actual = {"Items": [{"Id": "a", "z": 0}, {"Id": "b", "x": 1}], "Names": ["x", "y"], "more": 1}
    assert differences(ordered(desired), project(desired, actual)) == {}


def test_lists_that_have_an_order_keep_it():
    desired = {"Items": [{"PathPattern": "/a"}, {"PathPattern": "/b"}]}
    actual = {"Items": [{"PathPattern": "/b"}, {"PathPattern": "/a"}]}
    assert list(differences(ordered(desired), project(desired, actual))) == ["Items"]


def test_differences_name_the_leaf():
    assert differences({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}) == {"a.c": (3, 2)}
