"""From the first thing typed about a new site to its first release.

drafts   what was typed and chosen, kept and judged
running  the site, then its first deployment; by rows and beat, whoever is killed
"""

from deployments.launches.drafts import (
    discard,
    domain_of,
    expire,
    keep_file,
    new_site,
    raise_if_unfit,
    write,
)
from deployments.launches.fetching import fetch, is_fetching
from deployments.launches.running import (
    advance,
    deployment_of,
    due,
    go_on,
    is_next,
    launch,
    publish,
    retry,
    shown_plan,
)

__all__ = [
    "advance",
    "deployment_of",
    "discard",
    "domain_of",
    "due",
    "expire",
    "fetch",
    "go_on",
    "is_fetching",
    "is_next",
    "keep_file",
    "launch",
    "new_site",
    "publish",
    "raise_if_unfit",
    "retry",
    "shown_plan",
    "write",
]
