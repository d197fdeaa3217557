"""What is deployed: a folder, an archive, a bucket's prefix or a commit, judged before anything
is done with it. ``opening.open_source`` is the way in.

Named here is what costs nothing to import; who refuses a line of ``_headers`` needs no git.
"""

from deployments.source.rules import LIMITS, Limits, SourceRefused

__all__ = ["LIMITS", "Limits", "SourceRefused"]
