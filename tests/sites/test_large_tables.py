"""Migrations of large tables are not undone when they fail: they are run again."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.contrib.postgres.operations import RemoveIndexConcurrently
from django.db import connection
from django.db.migrations import RunSQL
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState

from sites.large_tables import AddIndex
from sites.models import Resource

AGAIN = (AddIndex, RemoveIndexConcurrently, RunSQL)


def test_what_is_not_undone_has_only_steps_that_can_be_run_again():
    found = [
        each
        for each in MigrationLoader(None).disk_migrations.values()
        if each.app_label in ("deployments", "sites") and not each.atomic
    ]
    assert found
    steps = [(str(each), step) for each in found for step in each.operations]
    assert [name for name, step in steps if not isinstance(step, AGAIN)] == []


@pytest.mark.django_db(transaction=True)
def test_an_index_is_made_again_where_an_interrupted_run_left_one():
    state = ProjectState.from_apps(apps)
    (index,) = (each for each in Resource._meta.indexes if each.name == "expiring_resources")
    with connection.schema_editor(atomic=False) as editor:
        AddIndex("resource", index).database_forwards("sites", editor, state, state)
    with connection.cursor() as cursor:
        constraints = connection.introspection.get_constraints(cursor, Resource._meta.db_table)
    assert constraints["expiring_resources"]["columns"] == ["expires_at"]
