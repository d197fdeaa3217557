"""Exports: whole, the same in both forms, and nothing that a spreadsheet would run."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sites.models import Kind
from sites.visits import exports
from sites.visits.exports import Export, defused
from sites.visits.ranges import Range
from tests.factories import VisitDayFactory

TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@given(TEXT)
def test_no_cell_is_a_formula_and_none_loses_a_letter(text):
    cell = defused(text)
    assert not cell.startswith(exports.FORMULAS)
    assert cell in (text, f"'{text}")


@given(st.integers() | st.floats(allow_nan=False))
def test_numbers_stay_numbers(number):
    assert defused(number) is number


@given(st.lists(st.tuples(TEXT, st.integers())))
def test_both_forms_have_the_same_rows(rows):
    day = datetime.now(UTC).date()
    export = Export("pages", None, Range(day, day), ("page", "visits"), rows)
    read = list(csv.reader(io.StringIO(export.as_csv(), newline="")))
    assert read[0] == ["page", "visits"]
    assert [tuple(row) for row in read[1:]] == [(defused(text), str(n)) for text, n in rows]
    found = json.loads(export.as_json())["rows"]
    assert [(row["page"], row["visits"]) for row in found] == rows


def test_an_export_has_all_rows_and_says_of_what(site):
    for n in range(30):
        VisitDayFactory(site=site, kind=Kind.PATH, value=f"/{n}", pageviews=n + 1, bots=1)
    asked = Range.parse("7d")
    export = exports.export("pages", site, asked)
    assert export.columns == ("page", "pageviews", "visits", "visitors", "bots", "share")
    assert len(export.rows) == 30
    assert export.rows[0] == ("/29", 30, 1, 1, 1, 0.064516)
    assert export.file_name == f"shop-pages-{asked.first}-{asked.last}"
    assert json.loads(export.as_json())["site"] == "shop"


def test_a_line_has_a_row_for_every_day(site):
    rows = exports.export("line", site, Range.parse("30d")).rows
    assert len(rows) == 30
    assert rows[-1][0].startswith(str(datetime.now(UTC).date()))


def test_all_sites_are_exported_by_name(site):
    VisitDayFactory(site=site, visits=3)
    export = exports.export("sites", None, Range.parse("7d"))
    assert export.rows == [("shop", 3, 3, 1, 0, 1.0)]
    assert export.file_name.startswith("all-sites-sites-")


@pytest.mark.parametrize("name", ["", "nothing", "sites"])
def test_what_there_is_not_is_said(site, name):
    with pytest.raises(ValueError, match="take one of line, pages"):
        exports.export(name, site, Range.parse("7d"))
