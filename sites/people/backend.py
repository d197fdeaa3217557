"""Django's own questions (``user.has_perm``, the admin's) are answered by ``may``.

Permissions and groups that are ticked at a user count for nothing: roles do.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import ModelBackend

from sites.models import Site, Team
from sites.people.rights import Act, may

ALL = ("view", "add", "change", "delete")


def _each(app: str, model: str, *acts: Act) -> dict[str, Act]:
    """For view, add, change and delete in this order; the last counts for the rest."""
    padded = [*acts, *[acts[-1]] * (len(ALL) - len(acts))]
    return {f"{app}.{verb}_{model}": act for verb, act in zip(ALL, padded, strict=True)}


# What is not here is denied.
TABLE: dict[str, Act] = {
    **_each("sites", "site", Act.VIEW, Act.CREATE, Act.OPERATE, Act.OWN),
    **_each("sites", "domain", Act.VIEW, Act.OPERATE),
    **_each("sites", "operation", Act.VIEW, Act.OPERATE),
    **_each("sites", "team", Act.VIEW, Act.ADMINISTER, Act.OWN, Act.ADMINISTER),
    **_each("sites", "account", Act.ADMINISTER),
    "sites.view_auditentry": Act.OWN,
    **_each("deployments", "deployment", Act.VIEW, Act.DEPLOY),
    **_each("deployments", "invalidation", Act.VIEW, Act.DEPLOY),
    **_each("deployments", "repository", Act.OPERATE),
    **_each("deployments", "delivery", Act.OPERATE),
    **_each("deployments", "listener", Act.OPERATE),
    **_each("deployments", "message", Act.OPERATE),
    **_each("deployments", "deploytoken", Act.OWN),
    **_each("deployments", "trustedrepository", Act.OWN),
    **_each("auth", "user", Act.ADMINISTER),
}


class RoleBackend(ModelBackend):
    """Logs in as Django does; what a user may is asked of roles alone."""

    def has_perm(self, user_obj: Any, perm: str, obj: Any = None) -> bool:
        act = TABLE.get(perm)
        if act is None:
            return False
        if obj is None:
            return may(user_obj, act)
        about = obj if isinstance(obj, Site | Team) else getattr(obj, "site", None)
        return isinstance(about, Site | Team) and may(user_obj, act, about)

    def has_module_perms(self, user_obj: Any, app_label: str) -> bool:
        return any(
            perm.startswith(f"{app_label}.") and may(user_obj, act) for perm, act in TABLE.items()
        )

    def get_user_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        return self.get_all_permissions(user_obj, obj)

    def get_group_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        return set()

    def get_all_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        return {perm for perm in TABLE if self.has_perm(user_obj, perm, obj)}
