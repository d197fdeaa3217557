from importlib import import_module

from django.apps import AppConfig
from django.db.backends.signals import connection_created
from django.db.models.signals import post_migrate

from sites.audit.actor import on_connection
from sites.audit.watch import watch_optional


class SitesConfig(AppConfig):
    """Our ``sites``. django.contrib.sites has the same label: never install both."""

    name = "sites"
    verbose_name = "cloudadmin"

    def ready(self) -> None:
        connection_created.connect(on_connection, dispatch_uid="sites.audit")
        post_migrate.connect(watch_optional, sender=self, dispatch_uid="sites.audit")
        import_module("sites.audit.logins")  # once there are models
