"""How a site is deployed to, and who may see it."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from sites.models import Site


class DeploySettings(models.Model):
    """One row per site, made when it is first needed.

    ``protection`` is a list of ``{"path": prefix, "salt": hex, "hash": hex}``; no password is kept.
    """

    site = models.OneToOneField(Site, on_delete=models.CASCADE, related_name="deploy_settings")
    lock_reason = models.CharField(max_length=300, blank=True)
    locked_by = models.CharField(max_length=150, blank=True)
    locked_at = models.DateTimeField(null=True, blank=True)
    locked_until = models.DateTimeField(null=True, blank=True)
    held_back = models.CharField(
        max_length=300,
        blank=True,
        help_text="Why deployments are not published by themselves; empty when they are.",
    )
    keep_deployments = models.PositiveIntegerField(
        default=20, help_text="So many published deployments can be gone back to."
    )
    keep_days = models.PositiveIntegerField(
        default=30, help_text="And all that are younger than so many days."
    )
    preview_days = models.PositiveIntegerField(
        default=14, help_text="A preview goes after so many days without a deployment."
    )
    is_in_maintenance = models.BooleanField("maintenance", default=False)
    protection = models.JSONField(default=list, blank=True)
    cookie_key = models.CharField(
        max_length=64, blank=True, help_text="Signs the cookies of who knew the password."
    )
    delete_after_hours = models.PositiveIntegerField(
        default=24, help_text="Objects that no deployment needs stay for so long."
    )
    updated_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True
    )

    class Meta:
        verbose_name_plural = "deploy settings"

    def __str__(self) -> str:
        return f"How {self.site} is deployed to"
