"""The cache of hashes: never a wrong one, whatever happens to the files and to its own."""

import hashlib
import os
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from deployments.files import stat_cache
from deployments.files.stat_cache import MAX_CACHES, StatCache
from deployments.source.tree import STAT, packed

SECOND = 1_000_000_000
NAMES = ["index.html", "a/ü.css", "\udcff.js"]
LATER = 10 * SECOND


def sent(content):
    """What is kept of a file: not necessarily of the size that it has."""
    return hashlib.sha256(content.encode()).hexdigest(), len(content) + 7


class Disk(RuleBasedStateMachine):
    """Files on a disk whose clock ticks as slowly as FAT's, with programs that set times."""

    folder: Path

    def __init__(self):
        super().__init__()
        self.now = 100 * SECOND
        self.files = {}
        self.inodes = 0

    @initialize(tmp=st.uuids())
    def start(self, tmp):
        self.path = self.folder / f"{tmp}.stat"

    def tick(self):
        return self.now // (2 * SECOND) * 2 * SECOND

    def stat(self, name):
        file = self.files[name]
        return STAT.pack(len(file["content"]), file["mtime"], file["ctime"], file["inode"], 7)

    @rule(name=st.sampled_from(NAMES), content=st.sampled_from(["aaa", "bbb", "cccc"]))
    def write(self, name, content):
        if name not in self.files:
            self.inodes += 1
        inode = self.files.get(name, {}).get("inode", self.inodes)
        self.files[name] = {
            "content": content,
            "mtime": self.tick(),
            "ctime": self.tick(),
            "inode": inode,
        }

    @precondition(lambda self: self.files)
    @rule(data=st.data(), mtime=st.integers(0, 200))
    def set_mtime(self, data, mtime):
        file = self.files[data.draw(st.sampled_from(sorted(self.files)))]
        file["mtime"], file["ctime"] = mtime * SECOND, self.tick()

    @precondition(lambda self: len(self.files) > 1)
    @rule(data=st.data())
    def rename(self, data):
        one, other = data.draw(st.permutations(sorted(self.files)))[:2]
        self.files[other] = {**self.files.pop(one), "ctime": self.tick()}

    @rule(nanoseconds=st.integers(1, 5 * SECOND))
    def wait(self, nanoseconds):
        self.now += nanoseconds

    @rule(data=st.data())
    def deploy(self, data):
        cache = StatCache(self.path, now=self.now)
        for name in sorted(self.files):
            stat, content = self.stat(name), self.files[name]["content"]
            known = cache.get(stat, name)
            assert known in (None, sent(content))
            if known is None:
                cache.put(stat, name, *sent(content))
            if data.draw(st.booleans()):
                self.now += data.draw(st.integers(0, 3 * SECOND))
                self.write(name, "bbb")
        cache.save()

    @rule(at=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
    def spoil(self, at, flip):
        if self.path.exists():
            raw = bytearray(self.path.read_bytes())
            raw[int(at * len(raw))] ^= flip
            self.path.write_bytes(raw)


def test_never_a_wrong_hash(tmp_path):
    class Case(Disk):
        folder = tmp_path

    Case.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
    Case.TestCase().runTest()


def test_a_file_that_stays_is_remembered_and_one_that_goes_is_not(tmp_path):
    (tmp_path / "a").write_text("a")
    (tmp_path / "b").write_text("b")
    a, b = packed(os.stat(tmp_path / "a")), packed(os.stat(tmp_path / "b"))
    now = os.stat(tmp_path / "b").st_ctime_ns + LATER
    cache = StatCache(tmp_path / "cache", now=now)
    cache.put(a, "a", *sent("a"))
    cache.put(b, "b", *sent("b"))
    cache.save()
    cache = StatCache(tmp_path / "cache", now=now)
    assert cache.get(a, "a") == sent("a")
    cache.save()
    cache = StatCache(tmp_path / "cache", now=now)
    assert (cache.get(a, "a"), cache.get(b, "b")) == (sent("a"), None)


def test_a_file_that_was_just_written_is_not_trusted(tmp_path):
    (tmp_path / "a").write_text("a")
    cache = StatCache(tmp_path / "cache")
    cache.put(packed(os.stat(tmp_path / "a")), "a", *sent("a"))
    assert cache.get(packed(os.stat(tmp_path / "a")), "a") is None


def test_a_forgotten_file_is_not_known_and_not_remembered(tmp_path):
    (tmp_path / "a").write_text("a")
    a = packed(os.stat(tmp_path / "a"))
    now = os.stat(tmp_path / "a").st_ctime_ns + LATER
    cache = StatCache(tmp_path / "cache", now=now)
    cache.put(a, "a", *sent("a"))
    cache.save()
    cache = StatCache(tmp_path / "cache", now=now)
    cache.forget("a")
    assert cache.get(a, "a") is None
    cache.put(a, "a", *sent("a"))
    cache.save()
    assert StatCache(tmp_path / "cache", now=now).get(a, "a") is None


@given(raw=st.binary(max_size=300), prefix=st.booleans())
def test_a_file_of_other_bytes_is_an_empty_cache(tmp_path_factory, raw, prefix):
    path = tmp_path_factory.mktemp("cache") / "cache"
    path.write_bytes((stat_cache.MAGIC if prefix else b"") + raw)
    assert StatCache(path).get(packed(os.stat(path)), "a") is None


def test_a_folder_that_cannot_be_written_is_no_failure(tmp_path):
    (tmp_path / "file").write_text("")
    cache = StatCache(tmp_path / "file" / "cache", now=LATER)
    file = STAT.pack(1, 1, 1, 1, 1)
    cache.put(file, "a", *sent("a"))
    cache.save()


def test_caches_are_kept_for_the_folders_used_last(tmp_path):
    for number in range(MAX_CACHES + 5):
        file = tmp_path / f"{number}.stat"
        file.write_bytes(b"")
        os.utime(file, (number, number))
    site = tmp_path / "site"
    assert stat_cache.of(site, tmp_path).path == stat_cache.of(site, tmp_path).path
    assert stat_cache.of(site, tmp_path).path != stat_cache.of(tmp_path, tmp_path).path
    assert stat_cache.of(site, tmp_path).path != stat_cache.of(site, tmp_path, judges="2").path
    assert stat_cache.of(site, tmp_path).path != stat_cache.of(site, tmp_path, changes="2").path
    assert len(list(tmp_path.glob("*.stat"))) == MAX_CACHES
    assert not (tmp_path / "4.stat").exists()
