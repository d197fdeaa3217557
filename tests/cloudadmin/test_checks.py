"""Production starts with keys of its own and behind HTTPS, or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from cloudadmin import checks

ROOT = Path(__file__).parents[2]
KEY = "kW3x_8Qz-R5nLJv0aYbT7eHcMi2UoGd9pSf4BwXrNqZyKtEu6V1gDsA"
GOOD = {"SECRET_KEY": KEY, "SALT_KEY": KEY[::-1], "ALLOWED_HOSTS": "admin.example.com"}


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    ours = ("CLOUDADMIN_", "SECRET_KEY", "SALT_KEY", "DJANGO_", "DEBUG", "ALLOWED_HOSTS")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return subprocess.run(
        [sys.executable, *arguments],
        env={**kept, "CLOUDADMIN_DATA_DIR": "/nowhere", **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_check_before_a_deploy_is_clean():
    done = run("manage.py", "check", "--deploy", "--fail-level", "WARNING", **GOOD)

    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout


def test_the_web_server_refuses_samples_in_a_sentence_each():
    sample = {"SECRET_KEY": "…", "SALT_KEY": "…", "ALLOWED_HOSTS": "*", "DEBUG": "1"}

    done = run("-c", "import cloudadmin.asgi", **sample, CLOUDADMIN_HTTPS="0")

    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    for word in ("SECRET_KEY", "SALT_KEY", "DEBUG", "ALLOWED_HOSTS", "HTTPS"):
        assert f"  {word}" in done.stderr or f"{word}." in done.stderr, word


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("IS_SECRET_KEY_GIVEN", False, "SECRET_KEY is not set"),
        ("SECRET_KEY", "django-insecure-" + KEY, "SECRET_KEY is a sample"),
        ("SECRET_KEY", KEY[:49], "shorter than 50"),
        ("SALT_KEY", ["cloudadmin"], "SALT_KEY=new,cloudadmin"),
        ("SALT_KEY", [], "SALT_KEY is not set"),
        ("DEBUG", True, "DEBUG is on"),
        ("ALLOWED_HOSTS", ["*"], "lets every host"),
        ("ALLOWED_HOSTS", [], "ALLOWED_HOSTS is empty"),
        ("SESSION_COOKIE_SECURE", False, "without HTTPS"),
        ("SECURE_HSTS_SECONDS", 0, "without HTTPS"),
        ("SECURE_SSL_REDIRECT", False, "without HTTPS"),
    ],
)
def test_each_alone_keeps_it_from_starting(settings, name, value, says):
    settings.IS_LOCAL = False
    settings.IS_SECRET_KEY_GIVEN, settings.SECRET_KEY, settings.SALT_KEY = True, KEY, [KEY]
    settings.ALLOWED_HOSTS = ["admin.example.com"]
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = True
    settings.SECURE_SSL_REDIRECT, settings.SECURE_HSTS_SECONDS = True, 3600
    checks.refuse_unsafe_start()
    setattr(settings, name, value)

    with pytest.raises(SystemExit, match=says):
        checks.refuse_unsafe_start()

    settings.IS_LOCAL = True
    checks.refuse_unsafe_start()


def test_containers_are_production_unless_it_is_said_otherwise():
    services = YAML(typ="safe").load((ROOT / "docker-compose.yml").read_text())["services"]

    assert services["web"]["environment"]["CLOUDADMIN_LOCAL"] == "${CLOUDADMIN_LOCAL:-0}"
