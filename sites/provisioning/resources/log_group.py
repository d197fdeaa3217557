"""``AWS::Logs::LogGroup``: made before its function, which would make one that is kept for ever."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sites.provisioning.resources.base import Resource, State

if TYPE_CHECKING:
    from cloudadmin.aws import Clients


@dataclass(frozen=True)
class LogGroup(Resource):
    type = "log_group"
    not_found = frozenset({"ResourceNotFoundException"})
    exists = frozenset({"ResourceAlreadyExistsException"})
    busy = frozenset({"OperationAbortedException"})
    name: str
    retention_days: int
    tags: dict[str, str]

    @property
    def label(self) -> str:
        return self.name

    def desired(self) -> dict[str, Any]:
        return {"retentionInDays": self.retention_days}

    def _read(self, clients: Clients, known_id: str) -> State | None:
        groups = clients.logs.describe_log_groups(logGroupNamePrefix=self.name)["logGroups"]
        for group in groups:
            if group["logGroupName"] == self.name:
                return State(
                    self.name,
                    {"retentionInDays": group.get("retentionInDays", 0)},
                    {"arn": group["arn"].removesuffix(":*")},
                )
        return None

    def _create(self, clients: Clients) -> str:
        # One that the function made by itself is adopted, and its retention set by an update.
        clients.logs.create_log_group(logGroupName=self.name, tags=self.tags)
        self._set_retention(clients)
        return self.name

    def _update(self, clients: Clients, current: State) -> None:
        self._set_retention(clients)

    def _set_retention(self, clients: Clients) -> None:
        days: Any = self.wanted()["retentionInDays"]
        if days:
            clients.logs.put_retention_policy(logGroupName=self.name, retentionInDays=days)
        else:  # kept for ever, as somebody accepted
            clients.logs.delete_retention_policy(logGroupName=self.name)

    def _delete(self, clients: Clients, current: State) -> None:
        clients.logs.delete_log_group(logGroupName=self.name)
