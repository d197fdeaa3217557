"""The connection: kept, made anew, given up, and its token."""

from __future__ import annotations

import json
import subprocess
import sys
from urllib.parse import parse_qsl

import boto3
import pg8000.native
import psycopg
import pytest
from botocore import auth

from tests.lambda_src.counter.containers import COUNTER, NOON, container, request


def backend_pids(connection) -> set[int]:
    rows = connection.execute(
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'cloudadmin-counter'"
    )
    return {pid for (pid,) in rows.fetchall()}


def test_a_container_keeps_its_connection(counter, connection):
    before = backend_pids(connection)
    counter.handler(request(), None)
    first = backend_pids(connection) - before
    counter.handler(request(), None)

    assert len(first) == 1
    assert backend_pids(connection) - before == first


def test_a_connection_that_broke_is_made_anew(counter, connection):
    before = backend_pids(connection)
    counter.handler(request(), None)
    for pid in backend_pids(connection) - before:
        connection.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])

    response = counter.handler(request(), None)

    assert json.loads(response["body"]) == {"visits": 2, "counted": True, "reason": ""}


def test_a_lost_answer_is_asked_for_again_and_counted_once(counter, environment, monkeypatch):
    """The server has counted, the reply never arrives: the retry finds the hit."""
    prepared = pg8000.native.PreparedStatement
    run, calls = prepared.run, []

    def lose_the_first(self, **params):
        rows = run(self, **params)
        calls.append(params["hit"])
        if len(calls) == 1:
            raise pg8000.native.InterfaceError("network error")
        return rows

    monkeypatch.setattr(prepared, "run", lose_the_first)
    response = counter.handler(request(), None)

    assert json.loads(response["body"]) == {"visits": 1, "counted": True, "reason": ""}
    assert len(calls) == 2


def test_after_a_long_silence_the_connection_is_not_trusted(counter, connection, monkeypatch):
    before = backend_pids(connection)
    counter.handler(request(), None)
    first = backend_pids(connection) - before
    counter.counter._used_at -= 301
    counter.handler(request(), None)

    assert not first & backend_pids(connection)


def test_a_locked_row_is_given_up_after_two_seconds(counter, counter_url, environment):
    counter.handler(request(), None)
    with psycopg.connect(counter_url) as blocker:
        blocker.execute("SELECT FROM counter.total WHERE site = %s FOR UPDATE", [environment])
        response = counter.handler(request(), None)

    assert response["statusCode"] == 503
    assert json.loads(counter.handler(request(), None)["body"])["visits"] == 2


def in_order(token: str) -> tuple[str, list[tuple[str, str]]]:
    """The signature is over the sorted query; in the token itself the order is free."""
    address, query = token.split("?")
    return address, sorted(parse_qsl(query, strict_parsing=True))


@pytest.mark.parametrize("session_token", ["", "FwoGZXIvYXdzE/a+b=="])
def test_the_token_is_the_one_that_botocore_makes(environment, monkeypatch, session_token):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
    monkeypatch.setenv("AWS_SESSION_TOKEN", session_token)
    # The signer in Python: the one in C reads a clock that cannot be set.
    monkeypatch.setitem(auth.AUTH_TYPE_MAPS, "v4-query", auth.SigV4QueryAuth)
    monkeypatch.setattr(auth, "get_current_datetime", lambda: NOON.replace(tzinfo=None))
    host, port = "counter.abc.eu-west-1.rds.amazonaws.com", 5432

    rds = boto3.Session(region_name="us-east-1").client("rds")
    theirs = rds.generate_db_auth_token(host, port, "the counter")
    ours = container("database").iam_token(host, port, "the counter", NOON)

    assert in_order(ours) == in_order(theirs)


WITHOUT_PASSWORDS = """
import sys
sys.path.insert(0, sys.argv[1])
import database
early = "asn1crypto" in sys.modules
import pg8000.core
print(early, pg8000.core.scramp.ScramClient.__name__, "asn1crypto" in sys.modules)
"""


def test_what_passwords_need_is_loaded_when_there_is_one():
    run = subprocess.run(
        [sys.executable, "-c", WITHOUT_PASSWORDS, str(COUNTER)],
        capture_output=True,
        text=True,
        check=True,
    )

    assert run.stdout.split() == ["False", "ScramClient", "True"]
