"""Who may do what, for the dashboard, the API and tokens. A shell is the owner and is not asked."""

from sites.people.rights import Act, get_for, may, role_of, visible

__all__ = ["Act", "get_for", "may", "role_of", "visible"]
