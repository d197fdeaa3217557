"""How a command tells of a deployment: a bar on a terminal, plain lines elsewhere, or JSON."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from deployments import lane
from deployments.models import Deployment, DeploymentEvent
from sites.plain import plain

if TYPE_CHECKING:
    from rich.progress import Progress

EVERY_SECONDS = 1.0
Phase = Deployment.Phase


class Report:
    """Says nothing until the end: what ``--json`` and ``-q`` want."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.began = time.monotonic()

    def on_progress(self, files: int, sent: int) -> None:
        """Called for each object."""

    def pause(self, seconds: float) -> None:
        """Called between two steps; returns after so many seconds."""
        self.changed()
        time.sleep(seconds)

    def changed(self) -> None:
        """The deployment may be in another phase."""

    def close(self) -> None:
        """Nothing more comes."""


class Lines(Report):
    """One line for each phase; while it waits, one for each change of its place. Below them what
    its log says meanwhile; the end is the caller's to tell."""

    def __init__(self, deployment: Deployment, write: Callable[[str], Any]) -> None:
        super().__init__(deployment)
        self.write = write
        self.last: tuple[Any, ...] = ()
        last = deployment.events.order_by("-pk").values_list("pk", flat=True).first()
        self.logged = last or 0

    def changed(self) -> None:
        self.tell_log()
        place = lane.place(self.deployment)
        now = (self.deployment.phase, place)
        if now != self.last and self.deployment.state in Deployment.ACTIVE:
            self.last = now
            self.say(place)

    def tell_log(self) -> None:
        for event in self.deployment.events.filter(pk__gt=self.logged):
            self.logged = event.pk
            is_end = plain(self.deployment.error_message).startswith(event.text)
            if event.phase != Phase.DONE and not is_end:
                self.tell(event)

    def tell(self, event: DeploymentEvent) -> None:
        self.write("  " + event.text.replace("\n", "\n  "))

    def say(self, place: int | None) -> None:
        before = f", {place} before it" if place else ""
        self.write(f"#{self.deployment.number}: {self.deployment.get_phase_display()}{before}")


class JsonLines(Lines):
    """One object for each phase, for each line of its log (with ``text``), and for each second of
    the upload."""

    def __init__(self, deployment: Deployment, write: Callable[[str], Any]) -> None:
        super().__init__(deployment, write)
        self.told = time.monotonic()

    def on_progress(self, files: int, sent: int) -> None:
        if time.monotonic() - self.told >= EVERY_SECONDS:
            self.told = time.monotonic()
            row = self.deployment
            self._object(
                files=files,
                total_files=row.objects_total,
                bytes=sent,
                total_bytes=row.bytes_total,
            )

    def tell(self, event: DeploymentEvent) -> None:
        self._object(phase=event.phase, level=event.level, text=event.text)

    def say(self, place: int | None) -> None:
        self._object(**({} if place is None else {"place": place}))

    def _object(self, **more: Any) -> None:
        about = {"number": self.deployment.number, "phase": self.deployment.phase}
        seconds = round(time.monotonic() - self.began, 3)
        self.write(json.dumps({**about, "seconds": seconds, **more}))


class Bar(Lines):
    """Files and bytes while they are sent, then the phases."""

    def __init__(self, deployment: Deployment, write: Callable[[str], Any]) -> None:
        super().__init__(deployment, write)
        self.bar: Progress | None = None

    def on_progress(self, files: int, sent: int) -> None:
        if self.bar is None:
            self.bar = _bar(self.deployment.bytes_total)
            self.bar.start()
        self.bar.update(
            self.bar.task_ids[0], completed=sent, files=f"{files}/{self.deployment.objects_total}"
        )

    def changed(self) -> None:
        self.close()
        super().changed()

    def close(self) -> None:
        if self.bar is not None:
            self.bar.stop()
            self.bar = None


def report_on(
    deployment: Deployment, options: dict[str, Any], write: Callable[[str], Any]
) -> Report:
    """What the options of the command ask for."""
    if options["json_lines"]:
        return JsonLines(deployment, write)
    if options["json"] or options["verbosity"] == 0:
        return Report(deployment)
    return (Bar if sys.stderr.isatty() else Lines)(deployment, write)


def _bar(total: int) -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    progress = Progress(
        TextColumn("Uploading"),
        BarColumn(),
        TextColumn("{task.fields[files]} files"),
        DownloadColumn(),
        TransferSpeedColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    progress.add_task("upload", total=total, files="")
    return progress
