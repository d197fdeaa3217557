"""Step by step: an operation that makes the one change that a person asked for, then waits again.

Nothing is held while the person thinks: the operation waits as it waits for AWS, and its row says
for what. Only what is next can be asked for, and once: the row knows.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Q, QuerySet

from sites import provisioning
from sites.errors import Refused
from sites.models import Operation


@dataclass(frozen=True)
class Next:
    """What would be done as soon as a person says so: ``action`` as in a plan."""

    logical_id: str
    action: str
    type: str
    label: str


def next_of(operation: Operation) -> Next | None:
    """None while it is busy, or waits for AWS alone."""
    if not operation.by_hand or operation.chosen or operation.status not in Operation.ACTIVE:
        return None
    asked = next((wait for wait in operation.waits if wait.get("asks")), None)
    if asked is None:
        return None
    planned = operation.plan.get("changes", ())
    known: dict[str, str] = next(
        (each for each in planned if each["logical_id"] == asked["what"]), {}
    )
    return Next(
        logical_id=asked["what"],
        action=asked["asks"],
        type=known.get("type", asked["what"].partition(".")[0]),
        label=known.get("label", asked["what"]),
    )


def ask(operation: Operation, logical_id: str) -> None:
    """Have the next step done. The caller enqueues ``sites.tasks.run_operation`` after commit.

    Raises Refused when it is not, or no longer, the next one.
    """
    is_next = Q(chosen="", waits__contains=[{"what": logical_id}])
    following = next_of(operation)
    asked = _waiting(operation).filter(is_next)
    if (
        following is None
        or following.logical_id != logical_id
        or not asked.update(chosen=logical_id, next_check_at=None)
    ):
        raise Refused("That step is under way, or done already. This is what is next now.")


def let_go(operation: Operation) -> None:
    """Have the rest done by itself. Raises Refused when it has ended."""
    if not _waiting(operation).update(by_hand=False, chosen="", next_check_at=None):
        raise Refused("There is nothing left to be done by itself.")


def is_asked(operation: Operation) -> bool:
    """Whether a step was asked for while a pass was under way, which did not know of it."""
    if not operation.by_hand:
        return False
    return bool(_waiting(operation).exclude(chosen="").update(next_check_at=None))


def narrowed(outcome: provisioning.Outcome) -> provisioning.Outcome:
    """Without what only waits for a step that nobody asked for yet; one step is the next."""
    if not isinstance(outcome, provisioning.Waiting):
        return outcome
    asks = [wait for wait in outcome.waits if wait.asks][:1]
    others = [wait for wait in outcome.waits if not wait.asks]
    if asks:
        others = [wait for wait in others if not wait.of_another]
    return provisioning.Waiting((*asks, *others))


def _waiting(operation: Operation) -> QuerySet[Operation]:
    return Operation.objects.filter(pk=operation.pk, by_hand=True, status__in=Operation.ACTIVE)
