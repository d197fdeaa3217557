"""The watched tables, by what people call their rows."""

from __future__ import annotations

TABLES = {
    "sites_account": "account",
    "sites_site": "site",
    "sites_domain": "domain",
    "sites_team": "team",
    "sites_membership": "role",
    "sites_invitation": "invitation",
    "sites_operation": "operation",
    "deployments_deployment": "deployment",
    "deployments_bulkrun": "act on many sites",
    "deployments_deploysettings": "deploy settings",
    "deployments_deploytoken": "token",
    "deployments_trustedrepository": "trusted repository",
    "deployments_repository": "repository",
    "deployments_launch": "new site",
    "deployments_listener": "listener",
    "auth_user": "user",
    "mfa_authenticator": "second factor",
    "account_emailaddress": "e-mail address",
    "socialaccount_socialaccount": "login of a provider",
    "auth_user_groups": "user's group",
    "auth_user_user_permissions": "user's permission",
    "auth_group": "group",
    "auth_group_permissions": "group's permission",
}

# There where the settings name a provider; watched as soon as there is such a table.
OPTIONAL = "socialaccount_socialaccount"
