"""The admin of sites."""

from sites.admin import account, audit, operation, people

__all__ = ["account", "people", "audit", "operation"]
