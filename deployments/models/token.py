"""Who may deploy without a person: tokens, and repositories that are trusted without one."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models

from sites.models import Site


class Scope(models.TextChoices):
    READ = "read", "Read: deployments, their state and their logs"
    PREVIEW = "preview", "Preview: deploy to addresses of their own"
    DEPLOY = "deploy", "Deploy: publish, cancel, invalidate"
    ROLLBACK = "rollback", "Roll back, publish an earlier deployment, lock"


class DeployToken(models.Model):
    """For one site. The token itself is shown once; ``digest`` is its SHA-256."""

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="deploy_tokens")
    name = models.CharField(max_length=100)
    scopes = ArrayField(models.CharField(max_length=20, choices=Scope))
    prefix = models.CharField(max_length=12, help_text="The beginning, to recognise it by.")
    digest = models.CharField(max_length=64, unique=True)
    # It goes with whoever made it; one without was made in a shell, which belongs to the owner.
    creator = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, blank=True
    )
    issued_to = models.CharField(
        max_length=300, blank=True, help_text="The workload that it was exchanged for, if any."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return self.name


class TrustedRepository(models.Model):
    """GitHub Actions of this repository get a token for the site, without any stored secret."""

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="trusted_repositories")
    repository = models.CharField(max_length=200, help_text="As in “owner/name”.")
    ref = models.CharField(
        max_length=255, blank=True, help_text="As in “refs/heads/main”; empty for every ref."
    )
    environment = models.CharField(
        max_length=255, blank=True, help_text="GitHub's environment; empty for every one."
    )
    scopes = ArrayField(models.CharField(max_length=20, choices=Scope))
    creator = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        editable=False,
        help_text="Who trusts it; it is trusted as long as they may.",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name_plural = "trusted repositories"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["site", "repository", "ref", "environment"], name="one_trust_per_workload"
            )
        ]

    def __str__(self) -> str:
        return self.repository
