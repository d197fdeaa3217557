from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from sites.provisioning.package import PackageError, build

COUNTER = Path(__file__).parents[3] / "lambda_src" / "counter"

# Run from the zip alone: the snippet is served, and counting fails politely for want of a database.
IN_LAMBDA = """
import json, os, sys
sys.path[:] = [sys.argv[1]] + [p for p in sys.path if "site-packages" not in p]
os.environ |= {
    "SITE_UID": "3f2504e0-4f89-41d3-9a0c-0305e82c3301", "DATABASE_HOST": "127.0.0.1",
    "DATABASE_PORT": "1", "DATABASE_NAME": "counter", "DATABASE_USER": "counter",
    "DATABASE_TLS": "require", "AWS_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b",
}
from handler import handler
import pg8000
event = {"headers": {}, "rawQueryString": "", "requestContext": {"http": {"method": "GET"}}}
answers = [handler({**event, "rawPath": f"/_cloudadmin/{p}"}, None) for p in ("visits.js", "count")]
print(json.dumps({
    "status": [a["statusCode"] for a in answers], "body": answers[1]["body"],
    "pg8000": pg8000.__file__,
}))
"""


def test_the_same_folder_gives_the_same_bytes():
    assert build(COUNTER) == build(COUNTER)


def test_it_is_small_and_holds_what_an_import_needs():
    package = build(COUNTER)
    names = zipfile.ZipFile(io.BytesIO(package)).namelist()

    assert len(package) < 1_000_000
    assert names == sorted(names)
    assert {"handler.py", "schema.sql", "visits.js", "bots.txt", "pg8000/native.py"} <= {*names}
    assert {"scramp/core.py", "dateutil/parser/_parser.py", "six.py"} <= {*names}
    assert not [name for name in names if "__pycache__" in name or "/tests/" in name]
    assert {Path(name).name for name in names if ".dist-info/" in name} == {"METADATA"}


def test_the_counter_runs_from_its_zip_alone(tmp_path):
    zipfile.ZipFile(io.BytesIO(build(COUNTER))).extractall(tmp_path)

    run = subprocess.run(
        [sys.executable, "-I", "-S", "-c", IN_LAMBDA, str(tmp_path)],
        capture_output=True,
        text=True,
        cwd="/",
    )

    assert run.returncode == 0, run.stderr
    result = json.loads(run.stdout)
    assert result["status"] == [200, 503]
    assert json.loads(result["body"]) == {"visits": None, "counted": False}
    assert Path(result["pg8000"]).is_relative_to(tmp_path)


def test_modes_are_readable_by_lambda_and_dates_fixed(tmp_path):
    bootstrap = tmp_path / "bootstrap"
    bootstrap.write_text("#!/bin/sh\n")
    bootstrap.chmod(0o700)
    (tmp_path / "data").mkdir()
    secret = tmp_path / "data" / "private.json"
    secret.write_text("{}")
    secret.chmod(0o600)

    infos = zipfile.ZipFile(io.BytesIO(build(tmp_path))).infolist()

    modes = {info.filename: oct(info.external_attr >> 16) for info in infos}
    assert modes == {"bootstrap": "0o100755", "data/private.json": "0o100644"}
    assert {info.date_time[0] for info in infos} == {1980}


@pytest.mark.parametrize(
    ("requirement", "message"),
    [
        ("no-such-distribution", "no-such-distribution is not installed"),
        ("pg8000<1", r"asks for pg8000<1, but \d"),
        ("psycopg-binary", "is compiled for this machine"),
        ("-r other.txt", "is not a requirement"),
    ],
)
def test_a_requirement_that_cannot_be_packed_is_named(tmp_path, requirement, message):
    (tmp_path / "requirements.txt").write_text(f"# what it needs\n{requirement}\n")

    with pytest.raises(PackageError, match=message):
        build(tmp_path)
