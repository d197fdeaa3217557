"""What is deployed: a folder or an archive, judged before anything is done with it."""

from deployments.source.opening import open_source
from deployments.source.rules import SourceRefused

__all__ = ["SourceRefused", "open_source"]
