"""A counter whose code comes with newer tables gets them with the code."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from sites import provisioning
from tests.sites.provisioning.conftest import COUNTER, World, package

# Its tables are where they were; the second version has its own mark beside the first.
NEWER = COUNTER.replace(
    '    return {"version": 1 if os.path.exists(MARK) else 0}',
    """    if event.get("action") == "migrate":
        open(MARK + "-2", "w").close()
    made = os.path.exists(MARK)
    return {"version": made + (made and os.path.exists(MARK + "-2")), "latest": 2}""",
)


def answered(world: World) -> Any:
    return world.site_store.rows["counter_schema"].physical_id


def test_new_code_migrates_and_the_old_code_is_left_alone(provisioned: World, tmp_path: Path):
    world = provisioned
    assert answered(world) == "version 1"
    assert not world.plan().effective
    world.counter_package = package(tmp_path, NEWER)
    # Several changes of one function, one after the other, and the tables after all of them.
    world.site = replace(world.site, counter_slots=3)
    changed = {change.logical_id for change in world.plan().effective}
    assert {"artifact", "lambda_function"} <= changed
    assert world.converge() == provisioning.Done()
    assert answered(world) == "version 2"
    assert not world.plan().effective, world.plan().as_text()


def test_a_function_has_its_slots_and_a_reservation_where_there_is_room(provisioned: World):
    world = provisioned
    world.site = replace(world.site, counter_slots=3)
    assert world.converge() == provisioning.Done()
    name = world.site_store.rows["lambda_function"].physical_id
    found: Any = world.clients.lambda_.get_function(FunctionName=name)
    assert found["Configuration"]["Environment"]["Variables"]["SLOTS"] == "3"
    limit = world.clients.lambda_.get_account_settings()["AccountLimit"]
    reserved = found.get("Concurrency", {}).get("ReservedConcurrentExecutions")
    assert reserved == 7 or (reserved is None and limit["UnreservedConcurrentExecutions"] < 107)
