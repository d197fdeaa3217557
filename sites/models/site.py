"""A website: what should be."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q

from sites.models.account import Account

MOST_SLOTS = 16


class Site(models.Model):
    """The desired state of one site. What exists on AWS for it is in its ``Resource`` rows."""

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        PROVISIONING = "provisioning", "Provisioning"
        LIVE = "live", "Live"
        FAILED = "failed", "Failed"
        DESTROYING = "destroying", "Destroying"

    CHANGING = (State.PROVISIONING, State.DESTROYING)

    class PriceClass(models.TextChoices):
        PRICE_CLASS_100 = "PriceClass_100", "North America and Europe"
        PRICE_CLASS_200 = "PriceClass_200", "Most of the world"
        PRICE_CLASS_ALL = "PriceClass_All", "Everywhere"

    class Headers(models.TextChoices):
        STANDARD = "standard", "Standard: HSTS, nosniff, no foreign frames"
        STRICT = "strict", "Strict: nothing from other origins either"
        NONE = "none", "None: the site sends its own"

    class TrailingSlash(models.TextChoices):
        AUTO = "auto", "As the files are: /about for about.html, /about/ for about/index.html"
        ALWAYS = "always", "Always: /about/"
        NEVER = "never", "Never: /about"

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="sites")
    team = models.ForeignKey(
        "sites.Team",
        on_delete=models.PROTECT,
        related_name="sites",
        null=True,
        blank=True,
        help_text="Whose people look after it; without one, those who have a role for it alone.",
    )
    name = models.CharField(
        max_length=40,
        unique=True,
        validators=[
            RegexValidator(
                r"^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\Z",
                "A site's name has lower-case letters, digits and inner hyphens, as in “my-site”.",
            )
        ],
    )
    state = models.CharField(max_length=20, choices=State, default=State.DRAFT, editable=False)
    has_counter = models.BooleanField("visitor counter", default=True)
    counter_slots = models.PositiveSmallIntegerField(
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_SLOTS)],
        help_text="Rows that share the counter's number. More take more hits at once.",
    )
    is_spa = models.BooleanField(
        "single-page application",
        default=False,
        help_text="Pages that do not exist are answered by index.html.",
    )
    price_class = models.CharField(
        max_length=20, choices=PriceClass, default=PriceClass.PRICE_CLASS_100
    )
    headers = models.CharField(
        "security headers", max_length=20, choices=Headers, default=Headers.STANDARD
    )
    trailing_slash = models.CharField(
        max_length=20, choices=TrailingSlash, default=TrailingSlash.AUTO
    )
    injects_snippet = models.BooleanField(
        "add the counter to every page",
        default=False,
        help_text="Each deploy puts the snippet's script into the HTML pages.",
    )
    visitors_token = models.CharField(
        max_length=43,
        blank=True,
        editable=False,
        help_text="Part of the address where everybody may see the statistics; empty: nobody.",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        indexes: ClassVar = [models.Index(fields=["created_at"], name="sites_by_time")]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["visitors_token"],
                condition=~Q(visitors_token=""),
                name="one_site_per_visitors_token",
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def short_uid(self) -> str:
        """What the names of the site's resources are derived from."""
        return self.uid.hex[:12]
