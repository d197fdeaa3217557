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
    assert plan.as_json() == [
        {
            "action": "delete",
            "logical_id": "bucket",
            "type": "bucket",
            "label": "cloudadmin-site",
            "differences": {},
        }
    ]
