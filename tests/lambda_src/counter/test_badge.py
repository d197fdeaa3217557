from __future__ import annotations

from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from tests.lambda_src.counter.containers import container

BADGE = container("badge").badge
SVG = "{http://www.w3.org/2000/svg}"


def texts(svg: str) -> list[str | None]:
    return [element.text for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def test_it_shows_a_number_and_says_it_to_who_cannot_see():
    svg = ElementTree.fromstring(BADGE(1234567, "seen"))

    assert texts(BADGE(1234567, "seen")) == ["seen", "1,234,567"]
    assert svg.get("aria-label") == svg.findtext(f"{SVG}title") == "seen: 1,234,567"
    assert svg.get("role") == "img"


@given(st.text(max_size=100), st.one_of(st.none(), st.integers(0, 2**63)))
def test_any_label_is_text(label, visits):
    shown, number = texts(BADGE(visits, label))

    assert shown
    assert len(shown) <= 40
    assert number == ("\N{EN DASH}" if visits is None else f"{visits:,}")


def test_markup_is_text():
    assert texts(BADGE(1, "<script>&\"'"))[0] == "<script>&\"'"
