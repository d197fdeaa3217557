"""A domain name of a site."""

from __future__ import annotations

import re

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models

from sites.models.site import Site

# Names that are never a customer's, and one of which might take another site's address.
RESERVED = ("localhost", "cloudfront.net", "amazonaws.com", "on.aws")
NOT_RESERVED = RegexValidator(
    r"(?:^|\.)(?:" + "|".join(name.replace(".", r"\.") for name in RESERVED) + r")\Z",
    "This name belongs to AWS or to this machine; a site's domain is one that you registered.",
    inverse_match=True,
)
WILDCARD = "*."
ADDRESS = re.compile(r"https?://(?P<host>[^/?#:@]+)/?")
# Below a wildcard there is room for the label of a preview.
DOMAIN_NAME = RegexValidator(
    r"^(?:\*\.(?=.{4,200}\Z)|(?=.{4,253}\Z))"
    r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])\Z",
    "A domain looks like “example.com” or “www.example.com”: lower-case, no scheme, no path. Only "
    "the domain of previews begins with a star, as in “*.preview.example.com”.",
)


def as_typed(text: str) -> str:
    """A name out of what a person typed, or pasted from the line of a browser: the host of an
    address without a path, without case and the last dot."""
    name = text.strip().lower()
    pasted = ADDRESS.fullmatch(name)
    return (pasted["host"] if pasted else name).rstrip(".")


def is_wildcard(name: str) -> bool:
    return name.startswith(WILDCARD)


def base_of(name: str) -> str:
    """The name below the star."""
    return name.removeprefix(WILDCARD)


class Domain(models.Model):
    """The first domain of a site is its address; a site without one lives on its distribution's.

    One that begins with ``*.`` is the domain of its previews: each has a name of its own below it,
    and the site itself is never served there.
    """

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="domains")
    name = models.CharField(max_length=253, unique=True, validators=[DOMAIN_NAME, NOT_RESERVED])
    redirects = models.BooleanField(
        "redirects to the first domain",
        default=False,
        help_text="For www.example.com beside example.com, or the other way round.",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.name

    @property
    def is_wildcard(self) -> bool:
        return is_wildcard(self.name)

    def clean(self) -> None:
        if self.is_wildcard and self.redirects:
            raise ValidationError(
                f"{self.name} is the domain of previews: it cannot redirect to the site's address."
            )
