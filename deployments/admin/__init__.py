"""The admin of deployments, and of sites with their deployments."""

from deployments.admin import history, listeners, repository, site, tokens

__all__ = ["history", "listeners", "repository", "site", "tokens"]
