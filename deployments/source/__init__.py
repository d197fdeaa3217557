"""What is deployed: a folder, an archive, a bucket's prefix or a commit, judged before anything
is done with it.
"""

from deployments.source.opening import Opened, open_source
from deployments.source.rules import LIMITS, Limits, SourceRefused

__all__ = ["LIMITS", "Limits", "Opened", "SourceRefused", "open_source"]
