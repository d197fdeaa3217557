from typing import Any

from celery import current_app
from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules

from sites.signals import site_provisioned
from sites.waking import wake


class DeploymentsConfig(AppConfig):
    name = "deployments"

    def ready(self) -> None:
        site_provisioned.connect(self.name_heads_again, dispatch_uid="deployments.heads")
        site_provisioned.connect(self.carry_launch_on, dispatch_uid="deployments.launches")
        # Hear of deployments from here on, and mark them on the line of visits.
        autodiscover_modules("notifications", "visit_marks")

    def name_heads_again(self, site: Any, **_: Any) -> None:
        """The heads of its hosts may be others now. What is marked here is written at once by a
        worker, and by beat should that not be heard."""
        rows = self.get_model("EdgeIndex")._default_manager.filter(site=site)
        if rows.update(is_head_written=False):
            wake(current_app.send_task, "deployments.write_heads")

    def carry_launch_on(self, site: Any, **_: Any) -> None:
        """A new site that is served now has its files published; beat would do it in seconds."""
        rows = self.get_model("Launch")._default_manager.filter(site=site, state="running")
        for pk in rows.values_list("pk", flat=True):
            wake(current_app.send_task, "deployments.advance_launch", (pk,))
