"""The counter database: one kept connection with its IAM token, and one statement."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import socket
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import quote

import later  # noqa: F401  # before pg8000
from hit import Hit
from pg8000.native import Connection, DatabaseError, Error, InterfaceError, PreparedStatement

COUNT_HIT = """
    SELECT pageviews, counted, reason FROM counter.count_hit(
        :site, :path, :client, :address, :hit, :is_bot, :referrer, :country, :device, :deployment,
        :slots, :left_out, :left_out_counts, NULL)
"""
COUNT_HIT_1 = """
    SELECT pageviews, counted FROM counter.count_hit(:site, :path, :client, :hit, :is_bot, NULL)
"""
CONNECT_SECONDS = 2.0
STATEMENT_SECONDS = 2.0
UNDEFINED_FUNCTION = "42883"
# Networks forget a silent TCP connection after about this long (350 s in a VPC); a frozen container
# is silent, and the first word on a forgotten connection would be answered by a timeout.
IDLE_SECONDS = 300.0


class Counter:
    """One connection with one prepared statement, kept for the life of the container."""

    def __init__(self) -> None:
        self._connection: Connection | None = None
        self._statement: PreparedStatement | None = None
        self._used_at = 0.0

    def count(self, hit: Hit, left_out: Mapping[str, int] | None) -> tuple[int, bool, str]:
        """Run ``count_hit``: all pageviews, whether this one is new among them, why not.

        Once more on a new connection when the old one was broken. The id of the hit makes that
        safe: it is counted once. What was left out has no id and is not told again.

        A function has its new code before the tables are those that it knows.
        """
        try:
            return self._count(hit, left_out)
        except (Error, OSError) as error:
            if _code(error) == UNDEFINED_FUNCTION:
                return self._count_as_before(hit)
            if not _is_broken(error):
                raise
        visits, counted, reason = self._count(hit, None)
        if reason == "again":  # the first time it was counted, and the answer was lost
            return visits, not hit.is_bot, ""
        return visits, counted, reason

    def _count(self, hit: Hit, left_out: Mapping[str, int] | None) -> tuple[int, bool, str]:
        # Wall clock: the monotonic one may stand still while the container is frozen.
        if time.time() - self._used_at > IDLE_SECONDS:
            self.close()
        try:
            if self._statement is None:
                self._connection = connect(STATEMENT_SECONDS)
                self._statement = self._connection.prepare(COUNT_HIT)
            [(visits, counted, reason)] = self._statement.run(
                **{name: value for name, value in hit._asdict().items() if name != "left_out"},
                site=os.environ["SITE_UID"],
                slots=int(os.environ.get("SLOTS", "1")),
                left_out=None if left_out is None else [*left_out],
                left_out_counts=None if left_out is None else [*left_out.values()],
            )
        except BaseException:
            self.close()  # nobody knows what it would say next
            raise
        self._used_at = time.time()
        return int(visits), counted, reason

    def _count_as_before(self, hit: Hit) -> tuple[int, bool, str]:
        """By the tables of version 1, or those that they become meanwhile."""
        connection = connect(STATEMENT_SECONDS)
        try:
            [(visits, counted)] = connection.run(
                COUNT_HIT_1,
                site=os.environ["SITE_UID"],
                **{name: getattr(hit, name) for name in ("path", "client", "hit", "is_bot")},
            )
        except DatabaseError:
            return self._count(hit, None)
        finally:
            close(connection)
        is_over = hit.client is not None and not counted and not hit.is_bot
        return int(visits), counted, "limit" if is_over else ""

    def close(self) -> None:
        connection, self._connection, self._statement = self._connection, None, None
        if connection is not None:
            close(connection)


def connect(statement_seconds: float) -> Connection:
    """A connection in autocommit, with its own IAM token, that gives up on a silent server."""
    env = os.environ
    host, port, user = env["DATABASE_HOST"], int(env["DATABASE_PORT"]), env["DATABASE_USER"]
    link = socket.create_connection((host, port), CONNECT_SECONDS)
    try:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = Connection(
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


def close(connection: Connection) -> None:
    with contextlib.suppress(Error, OSError):  # it may be gone already
        connection.close()


def _is_broken(error: BaseException) -> bool:
    """Whether a new connection may do better. After a timeout it would only wait again."""
    if isinstance(error, DatabaseError):
        # Connection exceptions, shutdown and restart of the server.
        return _code(error).startswith(("08", "57P"))
    return not isinstance(error.__cause__ or error, TimeoutError)


def _code(error: BaseException) -> str:
    """https://www.postgresql.org/docs/current/errcodes-appendix.html"""
    return str(error.args[0].get("C", "")) if isinstance(error, DatabaseError) else ""


def logged(error: BaseException) -> str:
    """An error in words that hold nothing of a visitor, whoever wrote them."""
    name = type(error).__name__
    if isinstance(error, DatabaseError):
        # Not the detail, which may quote a row.
        return f"{name}: {_code(error)} {error.args[0].get('M', '')}"
    if isinstance(error, InterfaceError | OSError):
        return f"{name}: {error}"
    return name


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
