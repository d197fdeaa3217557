"""Which admin site there is: ours, made only where pages are served."""

from django.contrib.admin.apps import SimpleAdminConfig


class DashboardConfig(SimpleAdminConfig):
    default_site = "cloudadmin.dashboard.frame.Dashboard"
