"""What is kept from the public, what may go, and what only looks like a secret."""

import random
import string
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.files.stat_cache import StatCache
from deployments.manifest import build
from deployments.source import secrets
from deployments.source.opening import open_source
from tests.deployments.source.trees import SITE, folder, opened_files, refusal

chance = random.Random(4)


def some(count, of=string.ascii_letters + string.digits):
    """Random enough, and never a token that somebody has."""
    return "".join(chance.choice(of) for _ in range(count))


UPPER = string.ascii_uppercase + "234567"
KEY = "\n".join([some(64)] * 2 + [some(64)])
AWS_ID, AWS_SECRET = f"AKIA{some(16, UPPER)}", f"aZ9{some(37)}"
SECRETS = {
    "AWS": (f'const id = "{AWS_ID}";\nconst secret = "{AWS_SECRET}";', "an AWS access key"),
    "AWS in a file": (
        f"aws_secret_access_key={AWS_SECRET}\naws_access_key_id={AWS_ID}",
        "an AWS access key",
    ),
    "key": (f"-----BEGIN RSA PRIVATE KEY-----\n{KEY}\n-----END", "a private key"),
    "locked key": (
        f"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: A\n\n{KEY}\n-----END",
        "a private key",
    ),
    "PGP key": (f"-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n{KEY}\n-----END", "a private key"),
    "service account": (
        '{"type": "service_account", "private_key": "-----BEGIN PRIVATE KEY-----\\n'
        + KEY.replace("\n", "\\n")
        + '\\n-----END PRIVATE KEY-----\\n"}',
        "a private key",
    ),
    "key in a script": (
        '"-----BEGIN EC PRIVATE KEY-----\\n" +\n  "' + '\\n" +\n  "'.join(KEY.split()) + '"',
        "a private key",
    ),
    "GitHub": (f"token: ghp_{some(36)}", "a GitHub token"),
    "GitHub, fine-grained": (f"'github_pat_{some(22)}_{some(59)}'", "a GitHub token"),
    "GitLab": (f"glpat-{some(20)}", "a GitLab token"),
    "npm": (f"//registry.npmjs.org/:_authToken=npm_{some(36)}", "an npm token"),
    "PyPI": (f"password = pypi-AgEIcHlwaS5vcmc{some(90)}", "a PyPI token"),
    "SendGrid": (f"SG.{some(22)}.{some(43)}", "a SendGrid key"),
    "Slack": (f"xoxb-{some(12, string.digits)}-{some(24)}", "a Slack token"),
    "Slack hook": (
        f"https://hooks.slack.com/services/T{some(9, UPPER)}/B{some(9, UPPER)}/{some(24)}",
        "the address of a Slack webhook",
    ),
    "Stripe": (f"sk_live_{some(24)}", "a live Stripe key"),
}
FINE = {
    "an id alone": f'"{AWS_ID}"',
    "AWS's own example": "AKIAIOSFODNN7EXAMPLE wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "an id beside a commit": f"{AWS_ID} {some(40, '0123456789abcdef')}",
    "an id beside a checksum": f"{AWS_ID} sha256-{some(43)}=",
    "a manual about keys": "-----BEGIN PRIVATE KEY-----\n... (base64) ...\n-----END PRIVATE",
    "a short key": "-----BEGIN PRIVATE KEY-----\nMIIEvQ...\n-----END PRIVATE KEY-----",
    "a public key": f"-----BEGIN PUBLIC KEY-----\n{KEY}",
    "a certificate": f"-----BEGIN CERTIFICATE-----\n{KEY}",
    "a token of x": f"ghp_{'x' * 36} sk_live_{'0' * 24} npm_{'a' * 36}",
    "a token of a manual": "xoxb-1234567890-abcdefghijklmnopqrstuvwx",
    "a test key": f"sk_test_{some(24)} pk_live_{some(24)}",
    "a key for browsers": f"AIza{some(35)}",
    "words": "npm_install_all_the_packages_we_have_in_here_now ghp_hello glpat-x SG.js",
}
LOOKS_SECRET = "environment.env.txt id_rsa.html npmrc.html .env.example .env.sample netrc a.env"


@pytest.mark.parametrize("kind", SECRETS)
def test_a_secret_is_refused_by_file_line_and_kind(tmp_path, kind):
    content, words = SECRETS[kind]
    message = refusal(folder(tmp_path, {**SITE, "a.js": f"a\nb\n{content}\n".encode()}))
    assert "“a.js” would be public: line" in message
    assert f"holds {words}" in message
    assert not any(part in message for part in content.split() if len(part) > 15)


@pytest.mark.parametrize("path", ["a.json", "a.html", "a.TXT", "a.js.map", "b/c.yaml", "a.key"])
def test_texts_are_looked_into(tmp_path, path):
    files = {**SITE, path: SECRETS["GitHub"][0].encode()}
    assert f"“{path}” would be public: line 1" in refusal(folder(tmp_path, files))


@pytest.mark.parametrize("what", FINE)
def test_what_is_no_secret_passes(tmp_path, what):
    opened_files(folder(tmp_path, {**SITE, "a.js": FINE[what].encode()}))


@pytest.mark.parametrize("path", LOOKS_SECRET.split())
def test_names_that_are_no_secret_pass(path):
    assert not secrets.secret_name(path)


def test_all_are_told_at_once(tmp_path):
    files = dict.fromkeys([".env", "a/.env", "b/.npmrc", "c/id_rsa", "d/.htpasswd", "e/.env"], b"")
    message = refusal(folder(tmp_path, {**SITE, **files}))
    assert "“.env” would be public: .env belongs to the workshop, not to the site" in message
    assert (
        "So would “a/.env” (.env belongs to the workshop, not to the site), “b/.npmrc”" in message
    )
    assert "and 2 more" in message


def test_a_secret_goes_by_its_path_alone(tmp_path):
    key = SECRETS["key"][0].encode()
    root = folder(tmp_path, {**SITE, "demo/key.pem": key, "a/.env": b"", "b.js": key})
    allow = ["demo/key.pem", "a/.env", "b.js", "never/seen"]
    with open_source(root, allow=allow) as opened:
        assert opened.allowed == ("a/.env", "b.js", "demo/key.pem")
    assert "“a/.env” would be public" in refusal(root, allow=["demo/key.pem", "b.js"])
    assert "“demo/key.pem” would be public" in refusal(root, allow=["a/.env", "b.js"])
    assert "“b.js” would be public: line 1" in refusal(root, allow=["a/.env", "demo/key.pem"])


def test_the_look_is_bounded(tmp_path, monkeypatch):
    token = SECRETS["GitHub"][0].encode()
    root = folder(tmp_path, {**SITE, "a.html": token, "b.js": b"x" * 100, "c.json": b"{}"})
    monkeypatch.setattr(secrets, "MOST_TEXTS", 2)
    assert opened_files(root)
    monkeypatch.setattr(secrets, "MOST_TEXTS", 9)
    monkeypatch.setattr(secrets, "MOST_BYTES", 50)
    assert opened_files(root)
    folder(root, {"c.json": token})
    assert "“c.json” would be public" in refusal(root)


@given(st.binary(max_size=300), st.sampled_from(sorted(SECRETS)), st.binary(max_size=300))
def test_a_secret_is_found_wherever_it_is(before, kind, after):
    content = before + b"\n" + SECRETS[kind][0].encode() + b"\n" + after
    assert KIND_OF[kind] in secrets._secret_in("a.js", content)


@given(st.text(string.ascii_letters + string.digits + "_-./+= \n\"'", max_size=2000))
def test_text_is_no_secret(text):
    assert not secrets._secret_in("a.js", text.encode())


def test_every_pattern_has_its_hint():
    for content, _ in SECRETS.values():
        assert any(hint in content.encode() for hint in secrets.HINTS)


KIND_OF = {kind: words for kind, (_, words) in SECRETS.items()}


def test_what_is_known_is_looked_into_again_only_when_it_changed(tmp_path, monkeypatch):
    root = folder(tmp_path / "site", {**SITE, "a.js": b"1", "b.js": b"2"})
    looked: list[str] = []
    look_into = secrets.look_into

    def look(root, paths):
        paths = list(paths)
        looked[:] = paths
        return look_into(root, paths)

    monkeypatch.setattr("deployments.source.tree.look_into", look)

    def deploy(**options):
        cache = StatCache(tmp_path / "cache", now=time.time_ns() + 60 * 10**9)
        with open_source(root, known=cache, **options) as opened:
            build(root, cache=cache, files=opened.files)
        return sorted(looked)

    assert deploy() == ["a.js", "b.js", "css/site.css", "index.html"]
    assert deploy() == []
    (root / "b.js").write_bytes(b"changed")
    assert deploy() == ["b.js"]


def test_a_secret_that_was_allowed_once_is_refused_without_that(tmp_path):
    root = folder(tmp_path / "site", {**SITE, "a.js": f"token = 'glpat-{some(20)}'".encode()})
    for allow in (["a.js"], ["a.js"], []):
        cache = StatCache(tmp_path / "cache", now=time.time_ns() + 60 * 10**9)
        if not allow:
            assert "“a.js” would be public" in refusal(root, known=cache)
            return
        with open_source(root, known=cache, allow=allow) as opened:
            assert opened.allowed == ("a.js",)
            build(root, cache=cache, files=opened.files)
