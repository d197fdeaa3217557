"""What is on AWS in our name and in no row, and rows whose thing is gone: one look at an account
(``look``), and what is done about it (``acts``).
"""

from __future__ import annotations

from sites.orphans.acts import Orphans, adopt, delete, forget, of_account
from sites.orphans.look import Gone, Unknown, recorded_certificates

__all__ = [
    "Gone",
    "Orphans",
    "Unknown",
    "adopt",
    "delete",
    "forget",
    "of_account",
    "recorded_certificates",
]
