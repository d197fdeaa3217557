"""What is written down of a try that failed."""

from __future__ import annotations

from cloudadmin.calls import answer_of
from sites.models import Operation, OperationTry
from sites.plain import plain
from sites.provisioning import ResourceFailed

# Of one operation that goes on for days; the last ones are kept.
MOST = 50


def note(operation: Operation, error: Exception | str) -> None:
    """One row; the oldest goes when there are too many."""
    row = OperationTry(operation=operation, said=plain(str(error)))
    if isinstance(error, ResourceFailed):
        answer = answer_of(error.cause)
        row.logical_id, row.action = error.logical_id[:60], error.action
        row.said, row.suggestion = plain(error.said), error.suggestion
        row.is_permanent = error.permanent
        row.call, row.error_code = answer.call[:100], answer.code[:100]
        row.http_status, row.request_id = answer.status or None, answer.request_id[:200]
        row.resent = answer.resent
    row.save()
    old = operation.tries.order_by("-pk").values_list("pk", flat=True)[MOST:]
    OperationTry.objects.filter(pk__in=list(old)).delete()
