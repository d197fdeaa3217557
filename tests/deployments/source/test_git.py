"""Commits of git repositories, local ones here, and repositories made to do harm."""

import os
import socket
import subprocess
import threading
import time

import pytest

from deployments.source import Limits, git, remote
from deployments.source.opening import open_source
from tests.deployments.source.trees import NAMES, SITE, folder, paths_in, refusal

FILE = ("file",)
ME = {
    "GIT_AUTHOR_NAME": "Ada Lovelace",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_COMMITTER_NAME": "Ada Lovelace",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_ALLOW_PROTOCOL": "file",
}


class Repository:
    """A repository of a person, who commits what is in its folder."""

    def __init__(self, root):
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        self("init", "-q", "-b", "main")

    def __call__(self, *words, stdin=None):
        done = subprocess.run(
            ["git", "-C", self.root, *words],
            env={**os.environ, **ME},
            input=stdin,
            capture_output=True,
            check=True,
        )
        return done.stdout.decode().strip()

    def commit(self, files=(), message="A commit"):
        folder(self.root, dict(files))
        self("add", "-A")
        self("commit", "-q", "--allow-empty", "-m", message)
        return self("rev-parse", "HEAD")

    @property
    def url(self):
        return f"file://{self.root}"


@pytest.fixture
def repository(tmp_path):
    found = Repository(tmp_path / "repository")
    found.commit(SITE)
    return found


def opened(source, **options):
    with open_source(source, schemes=FILE, **options) as found:
        return found, paths_in(found.root)


def test_the_default_branch_is_deployed(repository):
    repository("branch", "-m", "trunk")
    found, files = opened(repository.url)
    assert files == SITE
    assert (found.ref, found.sha, found.author) == (
        "trunk",
        repository("rev-parse", "HEAD"),
        "Ada Lovelace",
    )
    assert not found.root.exists()


def test_a_branch_a_tag_and_a_commit_can_be_named(repository):
    first = repository("rev-parse", "HEAD")
    repository("tag", "-a", "v1", "-m", "One")
    repository("checkout", "-q", "-b", "feature/log#in")
    second = repository.commit({"index.html": b"<h1>Two</h1>"})
    repository("checkout", "-q", "main")
    assert opened(repository.url, ref="v1")[0].sha == first
    for ref, options in [("#feature/log#in", {}), ("", {"ref": "feature/log#in"})]:
        found, files = opened(repository.url + ref, **options)
        assert (found.ref, found.sha) == ("feature/log#in", second)
        assert files["index.html"] == b"<h1>Two</h1>"
    by_number = opened(f"{repository.url}#{second}")[0]
    assert (by_number.ref, by_number.sha) == ("", second)
    assert opened(f"{repository.url}#refs/tags/v1")[0].ref == "v1"


def test_a_branch_wins_over_a_tag_of_its_name(repository):
    repository("tag", "main")
    latest = repository.commit({"a.txt": b"a"})
    assert opened(f"{repository.url}#main")[0].sha == latest


def test_a_folder_of_it_can_be_named(repository):
    sha = repository.commit({"docs/out/index.html": b"<h1>Docs</h1>", "docs/out/a/b.txt": b"b"})
    wanted = {"index.html": b"<h1>Docs</h1>", "a/b.txt": b"b"}
    for source in ("#main:docs/out", "#:docs/out", "#:/docs/out/", f"#{sha}:docs/out"):
        assert opened(repository.url + source)[1] == wanted
    message = refusal(f"{repository.url}#:nowhere", schemes=FILE)
    assert "there is no folder “nowhere” in that commit" in message


def test_names_of_all_kinds_come_through(repository):
    files = {**SITE, **dict.fromkeys(NAMES, b"content")}
    repository.commit(files)
    assert opened(repository.url)[1] == files


def test_its_own_settings_are_not_deployed(repository):
    repository.commit({".gitattributes": b"*.html text eol=lf", "index.html": b"a\nb\n"})
    assert opened(repository.url)[1].keys() == {*SITE, ".gitattributes"}


def test_what_is_wrong_is_said(repository, tmp_path):
    assert "no branch or tag “nope”; was it pushed?" in refusal(
        f"{repository.url}#nope", schemes=FILE
    )
    assert "git says:" in refusal(f"file://{tmp_path}/nothing", schemes=FILE)
    assert "git says:" in refusal(f"{repository.url}#{'0' * 40}", schemes=FILE)
    empty = Repository(tmp_path / "empty")
    assert "the repository is empty" in refusal(empty.url, schemes=FILE)
    assert "use https:// or ssh://" in refusal(repository.url)


@pytest.mark.parametrize(
    "ref",
    ["--upload-pack=x", "-x", "a b", "a..b", "+main", "main:refs/heads/x", "^main", "@{1}", "a*",
     "x.lock", "/a", "a/", "a//b", ".a", "a\nb", "~", "a\\b"],
)  # fmt: skip
def test_a_ref_that_is_none_is_refused(repository, ref):
    message = refusal(repository.url, ref=ref, schemes=FILE)
    if ref == "+main":
        assert "no branch or tag" in message
    else:
        assert "is no name of a branch, a tag or a commit" in message


def test_a_commit_cannot_be_left_out_of_judgement(repository):
    (repository.root / "evil").symlink_to("/etc/passwd")
    repository.commit()
    assert "“evil” is a link out of the repository" in refusal(repository.url, schemes=FILE)
    (repository.root / "evil").unlink()
    (repository.root / "home.html").symlink_to("index.html")
    (repository.root / "styles").symlink_to("css")
    repository.commit()
    assert opened(repository.url)[1]["styles/site.css"] == SITE["css/site.css"]
    (repository.root / "up").symlink_to("..")
    repository.commit()
    assert "“up” is a link out of the repository" in refusal(repository.url, schemes=FILE)


def test_limits_hold_before_anything_is_written(repository):
    repository.commit({"large.bin": bytes(3_000_000)})
    large = Limits(file_bytes=1_000_000)
    assert "“large.bin” is larger than" in refusal(repository.url, schemes=FILE, limits=large)
    few = Limits(files=2)
    assert "more than 2 files" in refusal(repository.url, schemes=FILE, limits=few)


def test_trees_that_multiply_are_refused(repository):
    """https://github.com/Katee/git-bomb"""
    blob = repository("hash-object", "-w", "--stdin", stdin=b"x")
    tree = repository("mktree", stdin=f"100644 blob {blob}\tindex.html\n".encode())
    for _ in range(6):
        rows = "".join(f"040000 tree {tree}\td{n}\n" for n in range(10))
        tree = repository("mktree", stdin=rows.encode())
    repository("update-ref", "HEAD", repository("commit-tree", tree, "-m", "x"))
    limits = Limits(files=5_000)
    assert "more than 5,000 files" in refusal(repository.url, schemes=FILE, limits=limits)


def test_names_in_one_commit_that_clash_are_refused(repository):
    repository.commit({"Index.html": b""})
    assert "are one name" in refusal(repository.url, schemes=FILE)


def test_a_tree_that_leads_out_is_refused(repository):
    blob = repository("hash-object", "-w", "--stdin", stdin=b"x")
    for name in ("..", ".git"):
        inner = repository("mktree", stdin=f"100644 blob {blob}\tx\n".encode())
        raw = f"40000 {name}\0".encode() + bytes.fromhex(inner)
        tree = repository("hash-object", "-t", "tree", "-w", "--literally", "--stdin", stdin=raw)
        repository("update-ref", "HEAD", repository("commit-tree", tree, "-m", "x"))
        assert "cannot be deployed" in refusal(repository.url, schemes=FILE)


def test_no_hook_and_no_filter_runs(repository, tmp_path, monkeypatch):
    canary = tmp_path / "canary"
    template = tmp_path / "template"
    for name in ("post-checkout", "post-index-change", "reference-transaction", "post-merge"):
        hook = folder(template, {f"hooks/{name}": f"#!/bin/sh\ntouch {canary}\n".encode()})
        (hook / "hooks" / name).chmod(0o755)
    settings = tmp_path / "gitconfig"
    settings.write_text(
        f"[init]\n templateDir = {template}\n[core]\n hooksPath = {template}/hooks\n"
        f'[filter "evil"]\n smudge = touch {canary}\n clean = cat\n'
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    monkeypatch.setenv("GIT_TEMPLATE_DIR", str(template))
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".gitconfig").write_text(settings.read_text())
    repository.commit({".gitattributes": b"* filter=evil"})
    opened(repository.url)
    assert not canary.exists()


def test_a_note_of_a_large_file_is_not_deployed_in_its_place(repository):
    note = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 9\n"
    repository.commit({"film.mp4": note})
    assert "“film.mp4” is kept in Git LFS" in refusal(repository.url, schemes=FILE)


@pytest.fixture
def theme(tmp_path, repository):
    """A submodule of the repository, at themes/plain."""
    inner = Repository(tmp_path / "theme")
    sha = inner.commit({"plain.css": b"p{}"})
    inner.commit({"plain.css": b"later"})
    link(repository, sha, "../theme")
    return inner


def link(repository, sha, url, path="themes/plain"):
    text = f'[submodule "x"]\n\tpath = {path}\n\turl = {url}\n'
    repository.commit({".gitmodules": text.encode()})
    repository("update-index", "--add", "--cacheinfo", f"160000,{sha},{path}")
    repository("commit", "-q", "-m", "A submodule")


def test_submodules_come_when_they_are_asked_for(repository, theme):
    found, files = opened(repository.url)
    assert "themes/plain/plain.css" not in files
    assert found.warnings == (
        "Submodules were left out, as nobody asked for them: “themes/plain”.",
    )
    found, files = opened(repository.url, submodules=True)
    assert files["themes/plain/plain.css"] == b"p{}"
    assert found.warnings == ()
    assert not [path for path in files if "/.git" in path]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ext::sh -c touch% canary", "“ext://” is no way"),
        ("--upload-pack=touch canary", "disallowed submodule url"),
        ("-oProxyCommand=touch", "disallowed submodule url"),
        ("https://169.254.169.254/x", "“https://” is no way"),
        ("http://example.com/x", "“http://” is no way"),
        ("/etc", "does not say how"),
        ("../../../../../../../../../x", "git says:"),
    ],
)
def test_a_submodule_elsewhere_is_refused(repository, theme, url, words):
    link(repository, theme("rev-parse", "HEAD"), url)
    assert words in refusal(repository.url, schemes=FILE, submodules=True)


def test_a_submodule_that_is_itself_is_refused(repository):
    sha = repository("rev-parse", "HEAD")
    link(repository, sha, "./")
    # A commit cannot hold itself; the one before it has no submodule.
    assert opened(repository.url, submodules=True)[1]["themes/plain/index.html"]
    repository("rm", "-q", "--cached", "themes/plain")
    repository.commit({".gitmodules": b""})
    repository("update-index", "--add", "--cacheinfo", f"160000,{sha},themes/plain")
    repository("commit", "-q", "-m", "x")
    message = refusal(repository.url, schemes=FILE, submodules=True)
    assert "“themes/plain” is a submodule without an address" in message


@pytest.mark.parametrize(
    ("base", "url", "wanted"),
    [
        ("https://example.com/a/b.git", "../c.git", "https://example.com/a/c.git"),
        ("https://example.com/a/b.git/", "../../c", "https://example.com/c"),
        ("https://example.com/a/b", "./c", "https://example.com/a/b/c"),
        ("git@example.com:a/b.git", "../c.git", "git@example.com:a/c.git"),
        ("git@example.com:b.git", "../c.git", "git@example.com:c.git"),
        ("https://example.com/a", "ssh://git@example.org/x", "ssh://git@example.org/x"),
    ],
)
def test_where_a_submodule_is(base, url, wanted):
    assert git._absolute(base, url) == wanted


def test_time_is_limited(tmp_path, monkeypatch):
    """A host that takes the call and never says a word."""
    program = folder(tmp_path / "bin", {"git": b"#!/bin/sh\nsleep 60 & echo $! >&2; wait\n"})
    (program / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{program}:{os.environ['PATH']}")
    started = time.monotonic()
    message = refusal("file:///x", schemes=FILE, limits=Limits(seconds=1))
    assert "was not here after 1 seconds" in message
    assert time.monotonic() - started < 20


def test_space_is_limited(tmp_path, monkeypatch):
    words = b"#!/bin/sh\nhead -c 3000000 /dev/zero > pack; sleep 60\n"
    program = folder(tmp_path / "bin", {"git": words})
    (program / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{program}:{os.environ['PATH']}")
    limits = Limits(total_bytes=2_000_000)
    assert "the repository is larger than" in refusal("file:///x", schemes=FILE, limits=limits)


def test_a_host_is_asked_at_the_address_that_was_judged(monkeypatch):
    """A name that means another machine when git looks it up again is no way in."""
    heard = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def listen():
            caller, _ = server.accept()
            with caller:
                heard.append(caller.recv(2000))

        listener = threading.Thread(target=listen, daemon=True)
        listener.start()
        monkeypatch.setattr(remote.Remote, "addresses", lambda self: ["127.0.0.1"])
        for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.delenv(name, raising=False)
        message = refusal(f"https://git.example.invalid:{port}/a.git", limits=Limits(seconds=20))
        listener.join(20)
    assert "git says:" in message
    assert b"git.example.invalid" in heard[0]
