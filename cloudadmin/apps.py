"""Which admin site there is: ours, made only where pages are served."""

import gc

from django.contrib.admin.apps import SimpleAdminConfig


class DashboardConfig(SimpleAdminConfig):
    default_site = "cloudadmin.dashboard.frame.Dashboard"

    def ready(self) -> None:
        super().ready()
        # The modules and models, which stay: nobody looks through them for garbage again, and
        # the workers that are forked share them.
        gc.freeze()
        gc.enable()
