"""What the pages are made of: waits, values, and what is to be copied."""

from __future__ import annotations

import html
import json
import re
from collections import Counter
from datetime import timedelta

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from sites.admin.base import until
from sites.admin.values import change, copyable, value
from sites.admin.waits import readable


def test_a_wait_without_times_is_readable():
    (wait,) = readable([{"what": "bucket", "why": "It is being made."}])
    assert (wait.since, wait.next_check) == (None, None)
    assert (wait.last_seen, wait.todo) == ("", "")


def test_names_keep_their_case_at_the_start_of_a_sentence():
    seen = "the DNS shows nothing", "example.com has no name servers."
    told = [readable([{"last_seen": each}])[0].last_seen for each in seen]
    assert told == ["The DNS shows nothing.", "example.com has no name servers."]


def test_what_a_person_copies_is_set_apart():
    told = copyable(
        'Name ns-1.awsdns.com, then run `manage.py up` <now>. Add CAA 0 issue "amazon.com"; see '
        "https://a.example/b. Or *.a.example."
    )
    copied = re.findall('<span class="copy"><code>(.*?)</code>(.*?)</span>', told)
    assert copied == [
        ("ns-1.awsdns.com", ","),
        ("manage.py up", ""),
        ("0 issue &quot;amazon.com&quot;", ";"),
        ("https://a.example/b", "."),
        ("*.a.example", "."),
    ]
    assert "&lt;now&gt;" in told


@given(st.text())
def test_a_sentence_loses_nothing_but_backticks(text):
    told = re.sub('</?code>|</?span( class="copy")?>', "", copyable(text))
    assert html.unescape(told).replace("`", "") == text.replace("`", "")


@given(st.recursive(st.none() | st.text() | st.integers(), st.lists, max_leaves=30))
def test_values_are_escaped(of):
    assert "<script" not in value([of, "<script>"])
    assert value(of)


documents = st.lists(st.fixed_dictionaries({"Id": st.text(max_size=40)}), min_size=8, max_size=12)


@given(documents, documents)
def test_a_difference_turns_one_document_into_the_other(before, after):
    shown = re.findall(r'<span class="\w+">(.*?)</span>', change(before, after))
    lines = [html.unescape(line) for line in shown]
    added, removed = (Counter(x[1:] for x in lines if x[0] == mark) for mark in "+-")
    old, new = (Counter(json.dumps(of, indent=2).splitlines()) for of in (before, after))
    assert old - removed + added == new


def test_short_values_stand_side_by_side():
    assert re.sub("<.*?>", "", change("AES256", None)) == "AES256 →to not set"


@pytest.mark.parametrize(
    ("ahead", "words"),
    [
        (timedelta(seconds=-3), "now"),
        (timedelta(seconds=30), "in 30 s"),
        (timedelta(days=14, seconds=-2), "in 14 days"),
        (timedelta(days=7, seconds=-2), "in 7 days"),
        (timedelta(days=90), "in 2 months"),
    ],
)
def test_what_is_to_come_in_words(ahead: timedelta, words: str):
    told = str(until(timezone.now() + ahead))
    assert f">{words}<" in told.replace("\xa0", " ")
