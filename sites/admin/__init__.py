"""The admin of sites."""

from sites.admin import account, operation

__all__ = ["account", "operation"]
