"""What happened to a deployment, line by line."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from deployments.models.deployment import Deployment


class DeploymentEvent(models.Model):
    """``text`` is plain: written by ``deployments.log``, which takes out what is not."""

    class Level(models.TextChoices):
        INFO = "info", "Info"
        WARNING = "warning", "Warning"
        ERROR = "error", "Error"

    deployment = models.ForeignKey(Deployment, on_delete=models.CASCADE, related_name="events")
    at = models.DateTimeField(default=timezone.now)
    phase = models.CharField(max_length=20, choices=Deployment.Phase)
    level = models.CharField(max_length=10, choices=Level, default=Level.INFO)
    text = models.TextField()

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.text
