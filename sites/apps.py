from django.apps import AppConfig


class SitesConfig(AppConfig):
    """Our ``sites``. django.contrib.sites has the same label: never install both."""

    name = "sites"
    verbose_name = "cloudadmin"
