"""A protected database is deleted in two passes."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

from sites.provisioning.resources import DbInstance
from sites.provisioning.resources.base import State


def test_delete_waits_until_the_protection_is_lifted():
    database = DbInstance("db", "counter", "cloudadmin", {})
    clients: Any = Mock(spec=["rds"])
    attributes = {"resource_id": "DB-1"}
    remains = database.delete(clients, State("db", {"DeletionProtection": True}, attributes))
    assert remains is not None
    assert remains.waiting_for == "RDS to lift the deletion protection"
    clients.rds.modify_db_instance.assert_called_once_with(
        DBInstanceIdentifier="db", DeletionProtection=False, ApplyImmediately=True
    )
    clients.rds.delete_db_instance.assert_not_called()
