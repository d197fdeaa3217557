"""CloudFront asked to forget paths.

paths    the fewest that cover a change, and what they take besides
ledger   what an account's cost this month, and what the next one would
running  from a request to Completed: gathered, sent once, watched
"""

from deployments.invalidations.running import (
    Plan,
    advance,
    due,
    plan,
    request,
    usual_seconds,
    waits_for,
)

__all__ = ["Plan", "advance", "due", "plan", "request", "usual_seconds", "waits_for"]
