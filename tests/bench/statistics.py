"""Statistics of many sites, by ``statistics_rows`` in a process and databases of its own."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.bench.databases import database
from tests.bench.table import Row
from tests.e2e.conftest import ROOT, Up, clean_environment


def measure(up: Up) -> list[Row]:
    """``SITES=1000 make bench`` is a look at fewer of them; the goals are for 10,000."""
    with database(up, "bench_statistics") as own, database(up, "bench_counter") as counter:
        answer = subprocess.run(
            [sys.executable, "-m", "tests.bench.statistics_rows", counter],
            cwd=ROOT,
            env=clean_environment(up.data_dir)
            | {"DATABASE_URL": own, "DJANGO_SETTINGS_MODULE": "cloudadmin.settings"},
            stdout=subprocess.PIPE,
            check=True,
        )
    return [Row(*cells) for cells in json.loads(answer.stdout)]
