"""The admin of deployments, and of sites with their deployments."""

from deployments.admin import history, invalidations, listeners, repository, site, tokens

__all__ = ["history", "invalidations", "listeners", "repository", "site", "tokens"]
