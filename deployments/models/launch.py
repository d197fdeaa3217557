"""A new site, from the first thing typed about it to its first release."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models

from deployments.models.deployment import Deployment
from sites.models import Account, Site, Team


class Launch(models.Model):
    """Its owner's alone. A draft keeps what was typed, be it right or not, and the last file that
    could be published; launched, it has a site, and then its first deployment.
    """

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        RUNNING = "running", "Being made"
        DONE = "done", "Done"

    class Source(models.TextChoices):
        FILES = "files", "Files"
        GIT = "git", "A git repository"
        SAMPLE = "sample", "The sample site"
        NOTHING = "nothing", "Nothing yet"

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="launches"
    )
    uid = models.UUIDField(
        default=uuid.uuid4, unique=True, help_text="Of the site: names on AWS come from it."
    )
    state = models.CharField(max_length=20, choices=State, default=State.DRAFT)
    name = models.CharField(max_length=200, blank=True)
    team = models.ForeignKey(Team, on_delete=models.SET_NULL, null=True, blank=True)
    account = models.ForeignKey(Account, on_delete=models.SET_NULL, null=True, blank=True)
    domain = models.CharField(max_length=300, blank=True)
    has_counter = models.BooleanField(default=True)
    source = models.CharField(max_length=20, choices=Source, default=Source.FILES)
    git_url = models.CharField(max_length=500, blank=True)
    file = models.CharField(max_length=40, blank=True, help_text="Its name in the data directory.")
    file_name = models.CharField(max_length=255, blank=True, help_text="As its owner has it.")
    file_count = models.PositiveIntegerField(default=0)
    file_bytes = models.PositiveBigIntegerField(default=0, help_text="Unpacked.")
    warnings = models.JSONField(default=list, help_text="Sentences about what is in it.")
    allowed = models.JSONField(
        default=list, help_text="Paths that look secret and are let through."
    )
    refused = models.TextField(blank=True, help_text="Why the last file was not taken.")
    was_sent = models.BooleanField(default=False, help_text="What is wrong is told only then.")
    plan = models.JSONField(default=dict, help_text="The plan that was shown.")
    by_hand = models.BooleanField(default=False)
    may_publish = models.BooleanField(
        default=False, help_text="By hand: whether its publishing was asked for."
    )
    site = models.OneToOneField(
        Site, on_delete=models.SET_NULL, null=True, blank=True, related_name="launch"
    )
    deployment = models.ForeignKey(
        Deployment, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    attempt = models.PositiveSmallIntegerField(default=1, help_text="Of the deployment.")
    error_message = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    launched_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-pk"]
        indexes: ClassVar = [
            models.Index(fields=["state", "updated_at"], name="launch_by_state"),
        ]

    def __str__(self) -> str:
        return self.name or "A new site"
