"""The log of a deployment: one row for each line, written where it happens."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django.db import IntegrityError, transaction

from deployments.models import Deployment, DeploymentEvent
from sites.models.lease import LeaseLost
from sites.plain import plain

Level = DeploymentEvent.Level

# Lines of one deployment, and of what is said at once; characters of a line.
MOST, AT_ONCE, LONGEST = 500, 100, 2_000
FULL = "The log is full: what follows is not kept, but for the end."


def say(deployment: Deployment, *lines: str, level: str = Level.INFO, is_end: bool = False) -> None:
    """Write lines into its log; the one of its end has room always. Raises LeaseLost when the
    deployment is gone."""
    texts = [plain(line)[:LONGEST] for line in lines if line]
    if len(texts) > AT_ONCE:
        texts = [*texts[: AT_ONCE - 1], f"And {len(texts) - AT_ONCE + 1:,} more like these."]
    if not texts:
        return
    if not is_end:
        room = MOST - deployment.events.count()
        if room <= 0:
            return
        texts = texts if len(texts) < room else [*texts[: room - 1], FULL]
    rows = [
        DeploymentEvent(deployment_id=deployment.pk, phase=deployment.phase, level=level, text=text)
        for text in texts
    ]
    try:
        with transaction.atomic():
            DeploymentEvent.objects.bulk_create(rows)
    except IntegrityError as error:
        raise LeaseLost(str(deployment)) from error


def say_news(deployment: Deployment, line: str, level: str = Level.INFO) -> None:
    """Unless it was the last thing that was said."""
    last = deployment.events.order_by("-pk").values_list("text", flat=True).first()
    if last != plain(line)[:LONGEST]:
        say(deployment, line, level=level)


def as_text(events: Iterable[DeploymentEvent]) -> Iterator[str]:
    """Lines for a file: when (UTC), in which phase, what."""
    for event in events:
        mark = "" if event.level == Level.INFO else f"{event.level.upper()}: "
        text = event.text.replace("\n", "\n    ")
        yield f"{event.at:%Y-%m-%d %H:%M:%S}Z {event.phase:<7} {mark}{text}\n"
