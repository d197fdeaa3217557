"""A push to a site's repository becomes a deployment.

payload     what a signed body says
deliveries  every webhook that came in, with its outcome and reason
receiving   from a webhook to a row, once
branches    where a branch is now
running     from the row to objects in the bucket, by a worker
"""

from deployments.pushes.deliveries import expire, refuse
from deployments.pushes.receiving import Unsigned, deploy, receive
from deployments.pushes.running import is_waiting, run

__all__ = ["Unsigned", "deploy", "expire", "is_waiting", "receive", "refuse", "run"]
