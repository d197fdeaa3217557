"""One container of ``increments``, a process that imports no more than it has to.

Says “ready” once connected, begins when a line comes, and says how many hits were counted.
"""

from __future__ import annotations

import json
import os
import sys
import time

from tests.lambda_src.counter.containers import container, lambda_environment, request


def main(url: str, site: str, slots: str, number: str, seconds: str) -> None:
    os.environ |= lambda_environment(url, site) | {"SLOTS": slots}
    function, hits = container(), 0
    function.handler(request(), None)  # connects
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    end = time.monotonic() + float(seconds)
    while time.monotonic() < end:
        response = function.handler(request(address=f"{number}.{hits}:443"), None)
        hits += json.loads(response["body"])["counted"]
    function.counter.close()
    sys.stdout.write(f"{hits}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
