"""The counter database: one kept connection, its IAM token, and the schema."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import re
import socket
import time
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import pg8000.native

SCHEMA = Path(__file__).parent / "schema.sql"
COUNT_HIT = (
    "SELECT pageviews, counted FROM counter.count_hit(:site, :path, :client, :hit, :is_bot, :now)"
)
CONNECT_SECONDS = 2.0
STATEMENT_SECONDS = 2.0
MIGRATE_SECONDS = 30.0
# Networks forget a silent TCP connection after about this long (350 s in a VPC); a frozen container
# is silent, and the first word on a forgotten connection would be answered by a timeout.
IDLE_SECONDS = 300.0
MIGRATION_LOCK = 0x636F756E746572  # "counter"


class Counter:
    """One connection with one prepared statement, kept for the life of the container."""

    def __init__(self) -> None:
        self._connection: pg8000.native.Connection | None = None
        self._statement: pg8000.native.PreparedStatement | None = None
        self._used_at = 0.0

    def count(self, **hit: object) -> tuple[int, bool]:
        """Run ``count_hit``; once more on a new connection when the old one was broken.

        The id of the hit makes that safe: it is counted once.
        """
        try:
            return self._count(hit)
        except (pg8000.native.Error, OSError) as error:
            if not _is_broken(error):
                raise
        return self._count(hit)

    def _count(self, hit: dict[str, object]) -> tuple[int, bool]:
        # Wall clock: the monotonic one may stand still while the container is frozen.
        if time.time() - self._used_at > IDLE_SECONDS:
            self.close()
        try:
            if self._statement is None:
                self._connection = connect(STATEMENT_SECONDS)
                self._statement = self._connection.prepare(COUNT_HIT)
            [(visits, counted)] = self._statement.run(now=None, **hit)
        except BaseException:
            self.close()  # nobody knows what it would say next
            raise
        self._used_at = time.time()
        return visits, counted

    def close(self) -> None:
        connection, self._connection, self._statement = self._connection, None, None
        if connection is not None:
            close(connection)


def connect(statement_seconds: float) -> pg8000.native.Connection:
    """A connection in autocommit, with its own IAM token, that gives up on a silent server."""
    env = os.environ
    host, port, user = env["DATABASE_HOST"], int(env["DATABASE_PORT"]), env["DATABASE_USER"]
    link = socket.create_connection((host, port), CONNECT_SECONDS)
    try:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = pg8000.native.Connection(
            user,
            host=host,
            database=env["DATABASE_NAME"],
            password=iam_token(host, port, user, datetime.now(UTC)),
            sock=link,
            ssl_context=env.get("DATABASE_TLS", "require") == "require",
            application_name="cloudadmin-counter",
            startup_params={"statement_timeout": str(round(statement_seconds * 1000))},
        )
    except BaseException:
        link.close()
        raise
    # A little longer than the server's own limit, so that its error arrives and not our silence.
    link.settimeout(statement_seconds + 1)
    return connection


def close(connection: pg8000.native.Connection) -> None:
    with contextlib.suppress(pg8000.native.Error, OSError):  # it may be gone already
        connection.close()


def _is_broken(error: BaseException) -> bool:
    """Whether a new connection may do better. After a timeout it would only wait again."""
    if isinstance(error, pg8000.native.DatabaseError):
        # Connection exceptions, shutdown and restart of the server.
        # https://www.postgresql.org/docs/current/errcodes-appendix.html
        return str(error.args[0].get("C", "")).startswith(("08", "57P"))
    return not isinstance(error.__cause__ or error, TimeoutError)


def iam_token(host: str, port: int, user: str, now: datetime) -> str:
    """The password of an IAM database user, good for 15 minutes: a presigned ``rds-db:connect``.

    https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.html and
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
    """
    env = os.environ
    region = env["AWS_REGION"]
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    scope = f"{stamp[:8]}/{region}/rds-db/aws4_request"
    query = {
        "Action": "connect",
        "DBUser": user,
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{env['AWS_ACCESS_KEY_ID']}/{scope}",
        "X-Amz-Date": stamp,
        "X-Amz-Expires": "900",
        "X-Amz-SignedHeaders": "host",
    }
    if session_token := env.get("AWS_SESSION_TOKEN"):
        query["X-Amz-Security-Token"] = session_token
    encoded = "&".join(f"{name}={quote(query[name], safe='-_.~')}" for name in sorted(query))
    empty = hashlib.sha256(b"").hexdigest()
    request = f"GET\n/\n{encoded}\nhost:{host}:{port}\n\nhost\n{empty}"
    digest = hashlib.sha256(request.encode()).hexdigest()
    key = f"AWS4{env['AWS_SECRET_ACCESS_KEY']}".encode()
    for part in (*scope.split("/"), f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return f"{host}:{port}/?{encoded}&X-Amz-Signature={key.hex()}"


def migrate() -> dict[str, int]:
    """Apply the versions of ``schema.sql`` that are missing, all or none, one caller at a time."""
    versions = _versions()
    connection = connect(MIGRATE_SECONDS)
    try:
        connection.run("BEGIN")
        connection.run("SELECT pg_advisory_xact_lock(:lock)", lock=MIGRATION_LOCK)
        current = _version(connection)
        for number in sorted(number for number in versions if number > current):
            connection.run(versions[number])
            connection.run("INSERT INTO counter.schema_version VALUES (:number)", number=number)
        connection.run("COMMIT")
        return {"version": max(current, *versions)}
    finally:
        close(connection)


def version() -> dict[str, int]:
    """The version of the tables, 0 without tables, and the latest that this code brings."""
    connection = connect(STATEMENT_SECONDS)
    try:
        return {"version": _version(connection), "latest": max(_versions())}
    finally:
        close(connection)


def _versions() -> dict[int, str]:
    pieces = re.split(r"^-- version (\d+)$", SCHEMA.read_text(), flags=re.MULTILINE)
    return {int(number): sql for number, sql in zip(pieces[1::2], pieces[2::2], strict=True)}


def _version(connection: pg8000.native.Connection) -> int:
    [(exists,)] = connection.run("SELECT to_regclass('counter.schema_version') IS NOT NULL")
    if not exists:
        return 0
    [(number,)] = connection.run("SELECT coalesce(max(version), 0) FROM counter.schema_version")
    current: int = number
    return current


def forget() -> dict[str, int]:
    """Delete what was counted for this site, in the order of locks that counting uses."""
    connection = connect(MIGRATE_SECONDS)
    deleted = 0
    try:
        connection.run("BEGIN")
        tables = ("visitor", "page", "total") if _version(connection) else ()
        for table in tables:
            connection.run(
                f"DELETE FROM counter.{table} WHERE site = :site",  # noqa: S608
                site=os.environ["SITE_UID"],
            )
            deleted += connection.row_count
        connection.run("COMMIT")
        return {"deleted": deleted}
    finally:
        close(connection)
