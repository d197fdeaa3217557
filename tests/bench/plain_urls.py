"""What a plain Django admin of our models would be, by whoever knows Django's documentation."""

from __future__ import annotations

from django.contrib.admin import AdminSite, ModelAdmin
from django.urls import path

from deployments.models import Deployment, Invalidation
from sites.models import Operation, Site

plain = AdminSite("admin")


class SiteAdmin(ModelAdmin):
    list_display = ("name", "state", "account", "team", "has_counter", "created_at")
    list_filter = ("state", "account")
    list_select_related = ("account", "team")
    search_fields = ("name", "domains__name", "resources__physical_id")


class DeploymentAdmin(ModelAdmin):
    list_display = ("__str__", "state", "description", "bytes", "created_at", "creator")
    list_filter = ("state", "is_published")
    list_select_related = ("site", "creator")
    search_fields = ("site__name", "description", "author", "sha")
    ordering = ("-pk",)
    raw_id_fields = ("site", "creator")


class OperationAdmin(ModelAdmin):
    list_display = ("__str__", "status", "creator", "created_at", "error_message")
    list_filter = ("status", "kind")
    list_select_related = ("creator",)
    search_fields = ("site_name", "error_message")
    raw_id_fields = ("site", "creator")


class InvalidationAdmin(ModelAdmin):
    list_display = ("__str__", "site", "status", "created_at")
    list_filter = ("status",)
    list_select_related = ("site",)


plain.register(Site, SiteAdmin)
plain.register(Deployment, DeploymentAdmin)
plain.register(Operation, OperationAdmin)
plain.register(Invalidation, InvalidationAdmin)

urlpatterns = [path("", plain.urls)]
