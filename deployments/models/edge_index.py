"""What was written, or is about to be written, into a site's KeyValueStore.

Rows are committed before the call that writes them (``is_written`` False), so the rows are always a
superset of what the edge may answer, and a killed deploy cannot leave records that we do not know.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from sites.models import Site


class EdgeIndex(models.Model):
    """The shape of one site's index and the files kept for open tabs."""

    site = models.OneToOneField(Site, on_delete=models.CASCADE, related_name="edge_index")
    generation = models.PositiveIntegerField(default=1)
    buckets = models.PositiveIntegerField(default=1)
    head_release = models.PositiveIntegerField(
        null=True, blank=True, help_text="The release that the head of every host shall name."
    )
    is_head_written = models.BooleanField(default=True)
    heads = models.JSONField(
        default=dict, help_text="host -> value of every head that the store may have."
    )
    reachable = models.JSONField(
        default=list, help_text="Releases that a head may name; the others were given up for room."
    )
    graced = models.JSONField(default=dict, help_text="path -> ISO time until which it stays")

    def __str__(self) -> str:
        return f"{self.site} generation {self.generation}"


class IndexBucket(models.Model):
    """One value of the KeyValueStore, at most 1 KB."""

    index = models.ForeignKey(EdgeIndex, on_delete=models.CASCADE, related_name="bucket_rows")
    generation = models.PositiveIntegerField()
    number = models.PositiveIntegerField()
    value = models.CharField(max_length=1024)
    is_written = models.BooleanField(default=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["index", "generation", "number"], name="one_row_per_bucket"
            )
        ]

    def __str__(self) -> str:
        return f"{self.generation}:{self.number}"
