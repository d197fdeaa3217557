"""``manage.py up``: everything on one machine, with a demo site live."""

from __future__ import annotations

import math
import os
import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from cloudadmin.instance import AlreadyRunning, Instance, Ports
from cloudadmin.supervision import SupervisionError


def share(text: str) -> float:
    """A finite number from 0 on. Raises ValueError, which argparse puts into words."""
    number = float(text)
    if not 0 <= number < math.inf:
        raise ValueError(text)
    return number


class Command(BaseCommand):
    help = "Run everything on one machine: PostgreSQL, Redis, the local cloud, web, worker, beat."
    requires_system_checks: list[str] = []  # the database is not there yet

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--data-dir", type=Path, default=settings.DATA_DIR)
        parser.add_argument("--port", type=int, help="of the dashboard (default: 8000, or free)")
        parser.add_argument("--edge-port", type=int, help="of the edge (default: 8080, or free)")
        parser.add_argument(
            "--aws-port", type=int, help="of the local AWS (default: 4566, or free)"
        )
        parser.add_argument(
            "--time-scale",
            type=share,
            default=0.0,
            help="how much of AWS's usual time the local AWS takes: 0 is at once (default), "
            "0.05 makes seconds of minutes, 1 is all of it",
        )
        parser.add_argument("--no-demo", action="store_true", help="without the demo site")

    def handle(self, *args: Any, **options: Any) -> None:
        stopping = threading.Event()

        def stop(signum: int, frame: FrameType | None) -> None:
            stopping.set()
            # A second one, or one during start: interrupt whatever is being waited for.
            raise KeyboardInterrupt

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        ports = Ports(web=options["port"], edge=options["edge_port"], aws=options["aws_port"])
        try:
            instance = Instance(
                options["data_dir"].absolute(),
                ports,
                say=self.stdout.write,
                time_scale=options["time_scale"],
            )
        except AlreadyRunning as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(
                f"{options['data_dir']} cannot be written ({error.strerror}); "
                "give another --data-dir."
            ) from error
        try:
            instance.start(demo=not options["no_demo"])
            instance.wait()
        except KeyboardInterrupt:
            self.stdout.write("Stopping.")
        except SupervisionError as error:
            raise CommandError(str(error)) from error
        finally:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            instance.stop()
            if stopping.is_set():
                self.stdout.write("Stopped; the data stays in " + os.fspath(instance.data_dir))
