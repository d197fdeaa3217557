"""From what should be to what is, in five stages:

1 desired   specs.py, stack.py  SiteSpec -> ordered resources
2 current   resources/*.read    ask AWS what exists
3 plan      plan.py             desired and current -> changes; show; raise_if_unsafe; checksum
4 apply     engine.py           create, update, delete in order; record after each one
5 destroy   engine.py           the recorded resources, backwards

``engine.advance`` goes once through 1, 2 and 4 and answers Done, Waiting or Failed; it is called
until it converges. ``engine.plan`` is the same walk, writing nothing.
"""

from __future__ import annotations

from sites.provisioning.engine import advance, destroy, plan
from sites.provisioning.errors import PlanChanged, ProvisioningError, ResourceFailed, UnsafePlan
from sites.provisioning.outcomes import Done, Failed, Outcome, Wait, Waiting
from sites.provisioning.plan import Plan
from sites.provisioning.records import Record, Store
from sites.provisioning.resources.base import State
from sites.provisioning.specs import AccountSpec, Database, SiteSpec
from sites.provisioning.stack import account_stack, site_stack
from sites.provisioning.steps import Stack

__all__ = [
    "AccountSpec",
    "Database",
    "Done",
    "Failed",
    "Outcome",
    "Plan",
    "PlanChanged",
    "ProvisioningError",
    "Record",
    "ResourceFailed",
    "SiteSpec",
    "Stack",
    "State",
    "Store",
    "UnsafePlan",
    "Wait",
    "Waiting",
    "account_stack",
    "advance",
    "destroy",
    "plan",
    "site_stack",
]
