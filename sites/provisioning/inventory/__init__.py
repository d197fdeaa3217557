"""What an account has of ours by its own lists (``lists``), whose each thing is (``ownership``),
and how what no row knows is deleted (``leftovers``).
"""

from __future__ import annotations

from sites.provisioning.inventory.leftovers import MADE_OF, identity, stack_of
from sites.provisioning.inventory.lists import PARTS, Found, inventory, owner_of
from sites.provisioning.inventory.ownership import owner_in, tags_of

__all__ = [
    "MADE_OF",
    "PARTS",
    "Found",
    "identity",
    "inventory",
    "owner_in",
    "owner_of",
    "stack_of",
    "tags_of",
]
