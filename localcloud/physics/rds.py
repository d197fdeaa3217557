"""RDS: a PostgreSQL instance is a database on the PostgreSQL that this cloud was given.

It is ``creating``, and has no endpoint, for as long as the clock says.
Two instances cannot have the same ``DBName`` here, since they share one server; AWS would let them.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit
from xml.sax.saxutils import unescape

import psycopg
from psycopg import sql

from localcloud.durations import Clock
from localcloud.physics import Forward
from localcloud.wire import Answer, Call, xml_error

INSTANCE = re.compile(r"<DBInstance>.*?</DBInstance>", re.DOTALL)
ENDPOINT = re.compile(r"<Endpoint>.*?</Endpoint>", re.DOTALL)
STATUS = re.compile(r"(?<=<DBInstanceStatus>)available(?=</DBInstanceStatus>)")
MARK = "localcloud: DB instance "
# https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html
PASSWORD = re.compile(r"[!#-.0-?A-~]{8,128}")
UNNAMED = "mydb"  # what MiniStack calls the database of an instance without DBName


class Rds:
    """``postgres_url``: a superuser's, ``postgresql://postgres@127.0.0.1:5432/postgres``."""

    def __init__(self, postgres_url: str, clock: Clock) -> None:
        self.postgres_url = postgres_url
        self.clock = clock
        server = urlsplit(postgres_url)
        self.endpoint = (
            f"<Endpoint><Address>{server.hostname}</Address><Port>{server.port or 5432}</Port>"
            "<HostedZoneId>Z2R2ITUGPM61AM</HostedZoneId></Endpoint>"
        )

    async def __call__(self, call: Call, forward: Forward) -> Answer:
        asked = call.form
        if not PASSWORD.fullmatch(asked.get("MasterUserPassword", "none-given")):
            return xml_error(
                "InvalidParameterValue",
                "The parameter MasterUserPassword is not a valid password: it has 8 to 128 "
                "printable ASCII characters besides '/', '@', '\"', ' '.",
            )
        creates = call.action == "CreateDBInstance" and _is_postgres(asked.get("Engine", ""))
        if creates:
            database = asked.get("DBName") or UNNAMED
            owner = await asyncio.to_thread(self._owner, database)
            if owner and owner != asked.get("DBInstanceIdentifier"):
                return xml_error(
                    "InvalidParameterValue",
                    f"The database {database} belongs to {owner}: all DB instances of the local "
                    "cloud are databases of one PostgreSQL. Choose another DBName.",
                )
        answer = await forward(call)
        if not answer.ok:
            return answer
        if call.action == "CreateDBInstance":
            self.clock.begin("db_instance", _text(answer.text, "DBInstanceIdentifier"))
        # The database before the answer: an instance that is described can be connected to.
        password = asked.get("MasterUserPassword", "")
        if creates or (call.action == "ModifyDBInstance" and password):
            await asyncio.to_thread(
                self.ensure,
                _text(answer.text, "DBInstanceIdentifier"),
                _text(answer.text, "MasterUsername"),
                _text(answer.text, "DBName"),
                password,
            )
        elif call.action == "DeleteDBInstance":
            await asyncio.to_thread(self._drop, answer.text)
        return answer.with_body(INSTANCE.sub(self._as_it_is_now, answer.text).encode())

    def _as_it_is_now(self, instance: re.Match[str]) -> str:
        if self.clock.under_way("db_instance", _text(instance[0], "DBInstanceIdentifier")):
            return STATUS.sub("creating", ENDPOINT.sub("", instance[0]))
        if not _is_postgres(_text(instance[0], "Engine")):
            return instance[0]
        return ENDPOINT.sub(self.endpoint, instance[0])

    def _connect(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(self.postgres_url, autocommit=True)

    def _owner(self, database: str) -> str:
        """The instance a database belongs to; what we did not make belongs to "another"."""
        with self._connect() as connection:
            row = connection.execute(
                "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s",
                [database],
            ).fetchone()
        if row is None:
            return ""
        comment = str(row[0] or "")
        return comment.removeprefix(MARK) if comment.startswith(MARK) else "another program"

    def reconcile(self, instances: Iterable[Mapping[str, Any]]) -> None:
        """Makes the databases that are missing: after a crash, or on a new PostgreSQL.

        ``instances`` are DescribeDBInstances' own. A lost role comes back without its password.
        """
        for each in instances:
            if _is_postgres(each["Engine"]):
                self.ensure(each["DBInstanceIdentifier"], each["MasterUsername"], each["DBName"])

    def ensure(self, instance: str, user: str, database: str, password: str = "") -> None:
        """Role and database, unless they are there; blocking, and safe to repeat."""
        with self._connect() as connection:
            self._ensure_role(connection, user, password)
            if self._owner(database):
                return
            name = sql.Identifier(database)
            connection.execute(
                sql.SQL("CREATE DATABASE {} OWNER {}").format(name, sql.Identifier(user))
            )
            mark = MARK + instance
            connection.execute(
                sql.SQL("COMMENT ON DATABASE {} IS {}").format(name, sql.Literal(mark))
            )

    @staticmethod
    def _ensure_role(
        connection: psycopg.Connection[tuple[object, ...]], user: str, password: str
    ) -> None:
        role = sql.Identifier(user)
        found = connection.execute(
            "SELECT rolsuper FROM pg_roles WHERE rolname = %s", [user]
        ).fetchone()
        if found is None:
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN CREATEDB CREATEROLE").format(role))
        if password and (found is None or not found[0]):
            connection.execute(
                sql.SQL("ALTER ROLE {} PASSWORD {}").format(role, sql.Literal(password))
            )

    def _drop(self, answer: str) -> None:
        database = _text(answer, "DBName")
        if self._owner(database) != _text(answer, "DBInstanceIdentifier"):
            return
        with self._connect() as connection:
            connection.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database))
            )


def _is_postgres(engine: str) -> bool:
    return engine == "postgres"


def _text(xml: str, name: str) -> str:
    found = re.search(rf"<{name}>([^<]*)</{name}>", xml)
    return unescape(found[1]) if found else ""
