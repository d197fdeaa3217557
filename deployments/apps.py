from typing import Any

from django.apps import AppConfig

from sites.signals import site_provisioned


class DeploymentsConfig(AppConfig):
    name = "deployments"

    def ready(self) -> None:
        site_provisioned.connect(self.name_heads_again, dispatch_uid="deployments.heads")

    def name_heads_again(self, site: Any, **_: Any) -> None:
        """A provisioned site may have new hosts: beat writes the heads that are marked here."""
        self.get_model("EdgeIndex")._default_manager.filter(site=site).update(is_head_written=False)
