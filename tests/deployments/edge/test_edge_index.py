"""The index against manifests, through the real router: random histories, then the limits."""

import hashlib
import json
from pathlib import Path
from unittest import mock
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from deployments.edge import edge_index
from deployments.edge.edge_index import (
    MAX_STORE,
    MAX_VALUE,
    DigestCollision,
    Index,
    IndexFull,
    answer,
    append,
    batches,
    bucket_key,
    bucket_of,
    digest,
    head,
    parse_bucket_key,
    release_key,
    surely_fits,
)
from localcloud.function_runtime import FunctionRuntime

ROUTER = (Path(__file__).parents[3] / "lambda_src/router/router.js").read_text()
HOST = "example.com"
# No path of the pool is another one's clean address, so each has one answer.
PATHS = [f"{folder}page-{n}.css" for folder in ("", "a/", "ü b/") for n in range(16)]
# Each is a whole history: 12 in the gate.
EXAMPLES = settings().max_examples // 4
contents = st.dictionaries(st.sampled_from(PATHS), st.integers(0, 3), max_size=len(PATHS))


def object_hash(path, content):
    return digest(f"{path}={content}") + "x" * 13


def route(runtime, path):
    request = {"uri": "/" + quote(path), "headers": {"host": {"value": HOST}}, "querystring": {}}
    uri = runtime.run({"request": request})["uri"]
    return None if uri.startswith("/missing/") else uri.split("/")[2]


class History(RuleBasedStateMachine):
    """Deploys, failed deploys, rollbacks, prunes; the edge has only what calls have put there.

    ``unwritten`` is what a failed deploy has left behind: the next flip, of whatever kind, sends
    it first.
    """

    @initialize()
    def start(self):
        self.edge: dict[str, str] = {}
        self.unwritten: dict[str, str] = {}
        self.index = Index()
        self.manifests = {}
        self.served = None
        self.last = 0
        self.head_names = 0
        self.router = FunctionRuntime(ROUTER, self.edge)

    def prepare(self, files, keep=()):
        self.last += 1
        wanted = {path: object_hash(path, content) for path, content in files.items()}
        must = [self.served] if self.served else []
        room = {"reachable": must, "occupied": self.occupied()}
        optional = sorted(self.manifests, reverse=True)
        fits = surely_fits(self.index, len(wanted) + len(keep), self.occupied())
        try:
            change = append(self.index, self.last, wanted, keep, **room, if_room=optional)
        except IndexFull:
            assert not fits
            self.refused(wanted, keep)
            return None
        again = append(change.index, self.last, wanted, keep, occupied=-(10**9))
        assert not again.puts
        assert not again.rebuilt
        assert max(map(len, change.puts.values()), default=0) <= MAX_VALUE
        self.index = change.index
        self.unwritten |= change.puts
        self.manifests = {n: m for n, m in self.manifests.items() if n in change.reachable}
        assert self.stored() <= edge_index.MAX_STORE
        return wanted

    def refused(self, wanted, keep):
        raise AssertionError("a store that is nearly empty is full")

    def stored(self):
        values = self.edge | self.unwritten
        return sum(len(k) + len(value) for k, value in values.items() if k[0] != "h")

    def occupied(self):
        """By generations that no head names any more, and that nobody has deleted yet."""
        current = sum(len(bucket_key(self.index.generation, n)) for n in self.index.values)
        return self.stored() - current - sum(map(len, self.index.values.values()))

    @rule()
    def drop_old_generations(self):
        used = {self.head_names, self.index.generation}
        for values in (self.edge, self.unwritten):
            for name in [name for name in values if name[0] != "h"]:
                if parse_bucket_key(name)[0] not in used:
                    del values[name]

    def write(self, keys):
        """In any order, and seen by nobody until the head names it."""
        for key in keys:
            self.edge[key] = self.unwritten.pop(key)
            self.every_path_is_what_the_manifest_says(PATHS[:3])

    def flip(self, release):
        assert not self.unwritten
        self.served, self.head_names = release, self.index.generation
        self.edge[f"h:{HOST}"] = head(release, self.index)

    @rule(files=contents, grace=st.booleans())
    def deploy(self, files, grace):
        before = self.manifests.get(self.served, {})
        keep = [path for path in before if path not in files] if grace else []
        newest_first = sorted(self.manifests.items(), reverse=True)
        kept = {path: next(m[path] for _, m in newest_first if path in m) for path in keep}
        wanted = self.prepare(files, keep)
        if wanted is None:
            return
        self.write(sorted(self.unwritten))
        self.every_path_is_what_the_manifest_says()
        self.manifests[self.last] = wanted | kept
        self.flip(self.last)

    @rule(files=contents, share=st.floats(0, 1))
    def fail_to_deploy(self, files, share):
        self.prepare(files)
        self.write(sorted(self.unwritten)[: round(len(self.unwritten) * share)])

    @rule(data=st.data())
    def roll_back(self, data):
        if self.manifests:
            self.write(sorted(self.unwritten))
            self.flip(data.draw(st.sampled_from(sorted(self.manifests))))

    @rule(data=st.data())
    def prune(self, data):
        others = [n for n in self.manifests if n != self.served]
        if others:
            del self.manifests[data.draw(st.sampled_from(others))]

    @invariant()
    def every_path_is_what_the_manifest_says(self, paths=PATHS):
        manifest = self.manifests[self.served] if self.served else {}
        for path in paths if self.served else []:
            assert route(self.router, path) == manifest.get(path)

    @invariant()
    def every_reachable_release_is_as_it_was(self):
        for release, manifest in self.manifests.items():
            for path in PATHS:
                assert answer(self.index, digest(path), release) == manifest.get(path)


TestHistory = History.TestCase
TestHistory.settings = settings(max_examples=EXAMPLES, stateful_step_count=20, deadline=None)


class TightHistory(History):
    """The same in a store that is nearly always full, with an index that widens early."""

    def __init__(self):
        super().__init__()
        self.limits = mock.patch.multiple(edge_index, MAX_STORE=1_200, WIDE=64, NARROW_MOST=10)
        self.limits.start()

    def teardown(self):
        self.limits.stop()

    def refused(self, wanted, keep):
        needed = len(wanted) + len(keep) + len(self.manifests.get(self.served, {}))
        assert self.stored() + needed * 42 > edge_index.MAX_STORE


TestTightHistory = TightHistory.TestCase
TestTightHistory.settings = settings(max_examples=EXAMPLES, stateful_step_count=20, deadline=None)


def files(count, salt=""):
    return {f"page/{n}.html": object_hash(f"{n}", salt) for n in range(count)}


def test_five_changes_of_a_hundred_thousand_files_are_five_values():
    wanted = files(100_000)
    first = append(Index(), 1, wanted)
    assert first.rebuilt
    changed = wanted | {f"page/{n}.html": "y" * 22 for n in range(5)}
    second = append(first.index, 2, changed, reachable=[1])
    assert not second.rebuilt
    assert len(second.puts) == len(next(batches(second.puts))) == 5
    for release, manifest in ((1, wanted), (2, changed)):
        for path in list(manifest)[:100]:
            assert answer(second.index, digest(path), release) == manifest[path]


def test_an_index_grows_to_a_hundred_thousand_files():
    """There is never room for two generations of the last size."""
    index = Index()
    reachable: list[int] = []
    for release, size in enumerate([20_000, 60_000, 100_000], 1):
        wanted = files(size)
        before = edge_index._size(index.generation, index.values)
        change = append(index, release, wanted, reachable=reachable)
        after = edge_index._size(change.index.generation, change.index.values)
        assert after + (before if change.rebuilt else 0) <= MAX_STORE
        index, reachable = change.index, [release]
    assert answer(index, digest("page/99999.html"), 3) == object_hash("99999", "")


def test_a_path_that_changes_for_ever_gives_up_the_oldest_releases():
    index = Index()
    reachable: list[int] = []
    for release in range(1, 200):
        wanted = files(40) | {"index.html": object_hash("index.html", release)}
        change = append(index, release, wanted, reachable=reachable[-1:], if_room=reachable[::-1])
        index, reachable = change.index, sorted(change.reachable)
        assert len(reachable) >= min(release, 10)
        for kept in reachable:
            assert answer(index, digest("index.html"), kept) == object_hash("index.html", kept)
    assert index.buckets < 200


def test_what_must_stay_and_does_not_fit_is_refused():
    index, everything = Index(), range(1, 30)
    for release in everything:
        index = append(index, release, {"a": f"{release:022}"}, reachable=everything).index
    with pytest.raises(IndexFull, match="Keep fewer releases"):
        append(index, 30, {"a": f"{30:022}"}, reachable=everything)


def test_a_store_that_is_full_is_refused():
    with (
        mock.patch.object(edge_index, "MAX_STORE", 8_000),
        pytest.raises(IndexFull, match="8,000 bytes"),
    ):
        append(Index(), 1, files(300))


def test_a_full_store_forgets_what_nobody_can_see():
    with mock.patch.object(edge_index, "MAX_STORE", 8_000):
        change = append(Index(), 1, files(100))
        for release in range(2, 20):
            change = append(change.index, release, files(100, release), reachable=[release - 1])
            assert answer(change.index, digest("page/7.html"), release - 1) is not None


def test_one_digest_for_two_paths_is_refused():
    with (
        mock.patch.object(edge_index, "digest", return_value="A" * 9),
        pytest.raises(DigestCollision, match=r"“a.html” and “b.html”"),
    ):
        append(Index(), 1, {"a.html": "x" * 22, "b.html": "y" * 22})


def test_a_kept_file_comes_back_after_a_rollback():
    """Release 2 deleted it, 1 is served again, and 3 is made while pages of 1 are open."""
    index = append(Index(), 1, {"old.js": "o" * 22}).index
    index = append(index, 2, {}, reachable=[1]).index
    index = append(index, 3, {}, keep=["old.js"], reachable=[1, 2]).index
    assert [answer(index, digest("old.js"), n) for n in (1, 2, 3)] == ["o" * 22, None, "o" * 22]


def test_release_numbers_only_grow():
    index = append(Index(), 5, {"a": "x" * 22}).index
    with pytest.raises(ValueError, match="release 4 is not newer"):
        append(index, 4, {})
    with pytest.raises(ValueError, match="between 0"):
        append(index, 36**4, {})


@given(st.integers(0, 36**4 - 1), st.integers(0, 36**4 - 1))
def test_release_keys_sort_as_numbers(one, other):
    assert (release_key(one) < release_key(other)) == (one < other)


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_bucket_keys_are_read_back(generation, number):
    assert parse_bucket_key(bucket_key(generation, number)) == (generation, number)


@given(st.text(st.characters(exclude_categories=["Cs"])), st.integers(1, 5000))
def test_a_record_knows_its_bucket(path, buckets):
    raw = hashlib.sha256(path.encode()).digest()
    assert len(digest(path)) == 9
    assert bucket_of(digest(path), buckets) == (int.from_bytes(raw[:3]) >> 6) % buckets


@given(st.dictionaries(st.text("ab", min_size=1), st.text("xy", max_size=900), max_size=120))
def test_batches_lose_nothing_and_keep_to_the_limits(puts):
    with mock.patch.object(edge_index, "MAX_BYTES_PER_CALL", 2_000):
        parts = list(batches(puts))
    assert {key: value for part in parts for key, value in part.items()} == puts
    assert sum(map(len, parts)) == len(puts)
    for part in parts:
        assert 0 < len(part) <= 50
        assert sum(map(len, [*part, *part.values()])) <= 2_000


def test_the_head_is_what_the_router_reads():
    assert json.loads(head(12, Index(1, 64), "s")) == {"r": "000c", "n": 64, "g": 1, "f": "s"}
    assert " " not in head(12, Index())
