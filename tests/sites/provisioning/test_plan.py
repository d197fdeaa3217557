from __future__ import annotations

import pytest

from sites.provisioning.errors import PlanChanged, UnsafePlan
from sites.provisioning.plan import Create, Delete, NoOp, Plan, Update

BUCKET = Delete("bucket", "bucket", "cloudadmin-site", keeps_data=True)


def test_checksum_tells_plans_apart():
    one = Plan((Create("a", "bucket", "x"),))
    assert one.checksum == Plan((NoOp("b", "role", "y"), Create("a", "bucket", "x"))).checksum
    assert one.checksum != Plan((Create("a", "bucket", "y"),)).checksum


def test_raise_if_changed_refuses_another_plan():
    plan = Plan((Create("a", "bucket", "x"),))
    plan.raise_if_changed(plan.checksum)
    with pytest.raises(PlanChanged, match="Look at the new plan"):
        Plan().raise_if_changed(plan.checksum)


def test_raise_if_unsafe_refuses_to_delete_what_keeps_data():
    plan = Plan((BUCKET, Delete("role", "role", "r")))
    with pytest.raises(UnsafePlan, match="delete bucket, which keeps data"):
        plan.raise_if_unsafe()


def test_raise_if_unsafe_lets_pass_what_is_named():
    Plan((BUCKET,)).raise_if_unsafe(force={"bucket"})


def test_as_text_shows_what_differs():
    update = Update("d", "distribution", "x", differences={"Aliases.Items": ([], ["a.com"])})
    assert Plan((update,)).as_text() == (
        '~ distribution  x\n      Aliases.Items: [] -> ["a.com"]\n'
        "Plan: 0 to add, 1 to change, 0 to destroy."
    )


def test_as_json_leaves_out_what_does_not_change():
    plan = Plan((NoOp("a", "role", "r"), BUCKET))
    assert plan.as_json()["changes"] == [
        {
            "action": "delete",
            "logical_id": "bucket",
            "type": "bucket",
            "label": "cloudadmin-site",
            "differences": {},
            "monthly_cost": "0.00",
            "cost_by_use": "$0.023 a GB stored and month, $0.005 per 1,000 uploads",
            "usual_wait": 0,
            "drifted": [],
        }
    ]


def test_checksum_is_of_the_site_alone():
    """Another site of the account may make what is shared in the meantime."""
    own = Plan((Create("a", "bucket", "x"),))
    assert own.after(Plan((Create("db_instance", "db_instance", "y"),))).checksum == own.checksum


def test_raise_if_unsafe_refuses_to_take_away_most_of_a_stack():
    gone = tuple(Delete(f"role.{n}", "role", "r") for n in range(6))
    plan = Plan((*gone, NoOp("a", "role", "r")))
    with pytest.raises(UnsafePlan, match="take away 6 of the 7"):
        plan.raise_if_unsafe()
    plan.raise_if_unsafe(force={"stack"})


def test_as_text_tells_cost_and_waits():
    create = Create("db_instance", "db_instance", "x", usual_wait=400)
    assert Plan((create,)).as_text() == (
        "+ db_instance  x\n"
        "Cost: $13.98 a month while nobody visits.\n"
        "      db_instance: backups as large as the database are free\n"
        "Waits, as AWS usually takes: db_instance about 7 minutes.\n"
        "Plan: 1 to add, 0 to change, 0 to destroy."
    )
