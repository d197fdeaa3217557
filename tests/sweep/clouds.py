"""Lives in parallel, each in a cloud of its own."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from queue import SimpleQueue
from threading import Lock
from unittest.mock import patch

from botocore.retries.standard import ExponentialBackoff

from tests.localcloud.conftest import LocalCloud
from tests.services import _start_postgres
from tests.sweep.life import Life, Place
from tests.sweep.points import by_name
from tests.sweep.strikes import Strike, StrikingClients
from tests.sweep.verdict import unstruck

WORKERS = 3
# Short, so that everything is under way for a while and nothing for long.
PROPAGATION, TIME_SCALE = 0.05, 0.0005

Lives = Callable[[Iterable[Strike]], Iterator[Life]]


@contextmanager
def clouds(workers: int = WORKERS) -> Iterator[Lives]:
    """Lives of the strikes, in their order, as many at a time as there are clouds."""
    idle: SimpleQueue[Place] = SimpleQueue()
    starting = Lock()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cloudadmin-sweep-")))
        folder.chmod(0o755)
        stack.enter_context(patch.object(ExponentialBackoff, "delay_amount", lambda *_: 0))

        def start(_: int = 0) -> Place:
            # One by one: free ports are found before they are taken. The PostgreSQL is its own,
            # since a counter database has the same name in every cloud.
            with starting, patch.dict(os.environ, DATABASE_URL=_start_postgres()):
                cloud = LocalCloud(Path(tempfile.mkdtemp(dir=folder)), PROPAGATION, TIME_SCALE)
                cloud.start()
            stack.callback(cloud.stop)
            return Place(StrikingClients(cloud.aws_endpoint), cloud.clients, cloud.data_dir)

        def live(strike: Strike) -> Life:
            place = idle.get()
            life = Life(place, strike)
            try:
                return life.live()
            finally:
                idle.put(place if life.is_over else start())

        with ThreadPoolExecutor(workers) as pool:
            for place in pool.map(start, range(workers)):
                idle.put(place)
            yield lambda strikes: pool.map(live, strikes)


def struck_each(lives: Lives, strikes: Sequence[Strike], undisturbed: Life) -> list[Life]:
    """Their lives, and those that strike by name what these had missed."""
    found = [*lives(strikes)]
    missed = [*unstruck(found, undisturbed)]
    return [*found, *lives(by_name(strikes[0].mode, missed))]
