"""What happened to a site, for whoever wants to be told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sites.models import Operation, Site
from sites.provisioning import Wait
from sites.signals import site_event


def failed(operation: Operation, site: Site, error: str) -> None:
    _tell(operation, site, "operation.failed", "has failed", error=error)


def waiting(operation: Operation, waits: Iterable[Wait]) -> None:
    """Once for each wait that somebody can end; who goes step by step sees it anyway.

    To be called before ``waits`` are written to the operation.
    """
    known = {wait["what"] for wait in operation.waits if wait.get("todo")}
    new = [wait for wait in waits if wait.todo and wait.what not in known]
    if new and operation.site and not operation.by_hand:
        told = [{"what": wait.what, "why": wait.why, "todo": wait.todo} for wait in new]
        _tell(operation, operation.site, "operation.waiting", "waits on you", waits=told)


def drifted(site: Site, sentences: Sequence[str]) -> None:
    site_event.send(
        sender=Site,
        site=site,
        event="drift.found",
        subject=f"{site.name}: something was changed on AWS by hand",
        data={"site": site.name, "changes": list(sentences)},
    )


def _tell(operation: Operation, site: Site, event: str, verb: str, **said: object) -> None:
    kind = str(operation.get_kind_display()).lower()
    site_event.send(
        sender=Site,
        site=site,
        event=event,
        subject=f"{site.name}: {kind} {verb}",
        data={"site": site.name, "operation": operation.pk, "kind": operation.kind, **said},
    )
