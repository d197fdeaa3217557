"""``python -m localcloud``: see docs/local-cloud.md."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from pathlib import Path

from localcloud.cloud import Cloud, Settings


async def main() -> int:
    parser = argparse.ArgumentParser(prog="localcloud", description="AWS on one machine")
    parser.add_argument("--data-dir", type=Path, required=True, help="everything is kept here")
    parser.add_argument("--aws-port", type=int, required=True, help="AWS's APIs")
    parser.add_argument("--edge-port", type=int, required=True, help="what visitors talk to")
    parser.add_argument("--postgres-url", required=True, help="a superuser's URL, for RDS")
    parser.add_argument(
        "--propagation",
        type=float,
        default=0.3,
        help="seconds until a change has reached every point of presence; 0: at once",
    )
    parser.add_argument(
        "--time-scale",
        type=float,
        default=0,
        help="how much of AWS's usual time things take; 0: at once, 1: its minutes",
    )
    parser.add_argument(
        "--concurrency",
        type=int,
        default=0,
        help="how many functions run at once before Lambda answers 429; 0: ten, as in a new "
        "account, and what comes through the edge waits in place of a 429",
    )
    parser.add_argument(
        "--bind", default="127.0.0.1", help="the address to listen on; nobody is asked who they are"
    )
    given = parser.parse_args()
    logging.basicConfig(
        level=logging.INFO, stream=sys.stdout, format="%(asctime)s %(name)s %(message)s"
    )
    for chatty in ("httpx", "httpcore", "botocore", "uvicorn"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    given.data_dir.mkdir(parents=True, exist_ok=True)
    given.data_dir = given.data_dir.resolve()
    return await Cloud(Settings(**vars(given))).run()


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
