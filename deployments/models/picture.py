"""What a site looked like after it was published."""

from __future__ import annotations

from django.db import models

from deployments.models.deployment import Deployment
from sites.models import Site


class SitePicture(models.Model):
    """One per site, the newest. Without an ``image``, ``problem`` says why there is none."""

    site = models.OneToOneField(Site, on_delete=models.CASCADE, related_name="picture")
    deployment = models.ForeignKey(
        Deployment,
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        help_text="The last one that a picture was tried of.",
    )
    image = models.BinaryField(default=b"")
    kind = models.CharField("content type", max_length=40, default="image/webp")
    digest = models.CharField(max_length=64, blank=True, help_text="SHA-256 of the image.")
    problem = models.CharField(max_length=300, blank=True)
    taken_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"Picture of {self.site}"
