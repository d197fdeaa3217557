"""The admin of deployments, and of sites with their deployments."""

from deployments.admin import history, site, tokens

__all__ = ["history", "site", "tokens"]
