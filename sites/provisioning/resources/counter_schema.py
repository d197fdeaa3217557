"""The tables of the counter, made by the function itself: nothing else reaches the database.

The function answers ``{"action": "version"}`` and ``{"action": "migrate"}`` with
``{"version": n}`` (0: no tables), and may add ``"latest"``, the version that its code wants.
``{"action": "forget"}`` removes the site's rows.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sites.provisioning.resources.base import Resource, State

if TYPE_CHECKING:
    from cloudadmin.aws import Clients


class FunctionError(Exception):
    """The function ran and failed; the text is its own."""


@dataclass(frozen=True)
class CounterSchema(Resource):
    type = "counter_schema"
    keeps_data = True
    may_remain = True
    not_found = frozenset({"ResourceNotFoundException"})
    function_name: str

    @property
    def label(self) -> str:
        return self.function_name

    def desired(self) -> dict[str, Any]:
        return {"is_latest": True}

    def _read(self, clients: Clients, known_id: str) -> State | None:
        try:
            answer = self._invoke(clients, "version")
        except FunctionError as error:
            # None would mean that the rows are gone, and no id that they are still to be made.
            return self._unreachable(error, known_id)
        version = answer["version"]
        if not version:
            return None
        return State(f"version {version}", {"is_latest": version >= answer.get("latest", version)})

    def _create(self, clients: Clients) -> str | State:
        try:
            return f"version {self._invoke(clients, 'migrate')['version']}"
        except FunctionError as error:
            return self._unreachable(error)

    def update(self, clients: Clients, current: State) -> State:
        """A migration that failed is tried again, and never taken for done."""
        made = self._create(clients)
        if isinstance(made, State):
            return replace(made, physical_id=current.physical_id)
        return self._settled(clients, made)

    def _update(self, clients: Clients, current: State) -> None:
        """``update`` does it."""

    def _delete(self, clients: Clients, current: State) -> State | None:
        try:
            self._invoke(clients, "forget")
        except FunctionError as error:
            if not self._has_database(clients):
                return None
            return replace(
                self._unreachable(error, current.physical_id),
                todo="If it goes on for minutes, see that the database runs and that nothing of "
                "the function's role was changed. Or leave the site's rows in the database: delete "
                f"the function {self.function_name} in Lambda.",
            )
        return None

    def _has_database(self, clients: Clients) -> bool:
        """Whether any database is where the function looks for it, or has no address now."""
        function = clients.lambda_.get_function(FunctionName=self.function_name)
        host = function["Configuration"]["Environment"]["Variables"]["DATABASE_HOST"]
        pages = clients.rds.get_paginator("describe_db_instances").paginate()
        return any(
            instance.get("Endpoint", {}).get("Address", host) == host
            for page in pages
            for instance in page["DBInstances"]
        )

    def _unreachable(self, error: FunctionError, known_id: str = "") -> State:
        return State(
            known_id,
            ready=False,
            waiting_for=f"the counter function to reach its database: {error}",
        )

    def _invoke(self, clients: Clients, action: str) -> Any:
        response = clients.lambda_.invoke(
            FunctionName=self.function_name, Payload=json.dumps({"action": action}).encode()
        )
        answer = json.loads(response["Payload"].read() or b"null")
        if response.get("FunctionError"):
            raise FunctionError((answer or {}).get("errorMessage", "no message"))
        return answer
