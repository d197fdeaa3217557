"""What changed on AWS behind our back: field by field (``fields``), what of it is a danger
(``rules``), and the few lists that tell where to look (``listings``).
"""

from __future__ import annotations

from sites.provisioning.drift.fields import (
    GONE,
    Drift,
    accepting,
    changed,
    compare,
    kept,
    look,
    urgency,
)
from sites.provisioning.drift.listings import suspects

__all__ = [
    "GONE",
    "Drift",
    "accepting",
    "changed",
    "compare",
    "kept",
    "look",
    "suspects",
    "urgency",
]
