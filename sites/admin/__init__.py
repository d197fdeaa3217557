"""The admin of sites."""

from sites.admin import account, audit, operation

__all__ = ["account", "audit", "operation"]
