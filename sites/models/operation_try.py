"""A try of an operation that failed, with what AWS's support asks for."""

from __future__ import annotations

from django.db import models

from sites.models.operation import Operation


class OperationTry(models.Model):
    """``request_id`` is empty when AWS was not reached, or the failure was none of AWS's."""

    operation = models.ForeignKey(Operation, on_delete=models.CASCADE, related_name="tries")
    at = models.DateTimeField(auto_now_add=True)
    logical_id = models.CharField(max_length=60, blank=True)
    action = models.CharField(max_length=20, blank=True, help_text="As in a plan, or “read”.")
    call = models.CharField(max_length=100, blank=True, help_text="AWS's own name of the call.")
    error_code = models.CharField(max_length=100, blank=True)
    http_status = models.PositiveSmallIntegerField(null=True, blank=True)
    request_id = models.CharField(max_length=200, blank=True)
    resent = models.PositiveSmallIntegerField(
        default=0, help_text="How often the call was sent again before it counted as failed."
    )
    said = models.TextField(help_text="What AWS said, or what else happened.")
    suggestion = models.TextField(blank=True)
    is_permanent = models.BooleanField(default=False)

    class Meta:
        ordering = ["pk"]
        verbose_name_plural = "operation tries"

    def __str__(self) -> str:
        return f"{self.logical_id}.{self.action}" if self.logical_id else self.said
