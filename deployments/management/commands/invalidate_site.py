"""``manage.py invalidate_site NAME PATH...``"""

from __future__ import annotations

import json
import time
from typing import Any

from django.core.management.base import CommandError, CommandParser

from deployments import invalidations
from deployments.invalidations import Plan
from deployments.invalidations.ledger import priced
from deployments.models import Invalidation
from sites.management.command import TRY_AGAIN_LATER, SiteCommand

SEND_SECONDS = 20
WAIT_SECONDS = 600
LOOK_AGAIN_SECONDS = 0.5
Status = Invalidation.Status


class Command(SiteCommand):
    help = "Drop paths from CloudFront's caches. Deployments never need this."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("paths", nargs="+", metavar="PATH", help="such as /data/* or /feed.xml")
        parser.add_argument(
            "--plan", action="store_true", help="say what would be sent and cost; send nothing"
        )
        parser.add_argument(
            "--wait", action="store_true", help="until CloudFront says that it is completed"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        site = self.site(options["name"])
        try:
            if options["plan"]:
                plan = invalidations.plan(site, options["paths"])
                self.stdout.write(json.dumps(_plan(plan)) if options["json"] else _said(plan))
                return
            row = invalidations.request(site, options["paths"])
        except ValueError as error:
            raise CommandError(str(error)) from error
        row = self._followed(row, options["wait"], quiet=options["json"])
        if options["json"]:
            self.stdout.write(json.dumps(_row(row)))
        elif row.status != Status.FAILURE:
            self.stdout.write(f"Invalidation {row.invalidation_id}: {row.status} ({row})")
        if row.status == Status.FAILURE:
            raise CommandError(row.error_message)
        if options["wait"] and row.status in Invalidation.ACTIVE:
            raise CommandError(
                f"Not completed within {WAIT_SECONDS} seconds; it goes on by itself. "
                f"{invalidations.waits_for(row)}",
                returncode=TRY_AGAIN_LATER,
            )

    def _followed(self, row: Invalidation, wait: bool, quiet: bool) -> Invalidation:
        """Until it is sent, or waits for something; with ``wait`` until it is completed."""
        deadline = time.monotonic() + (WAIT_SECONDS if wait else SEND_SECONDS)
        told = ""
        while row.status in Invalidation.ACTIVE and time.monotonic() < deadline:
            pause = invalidations.advance(row.pk)
            row.refresh_from_db()
            row = row.merged_into or row
            waits_for = invalidations.waits_for(row)
            if not quiet and waits_for not in ("", told):
                self.stderr.write(waits_for)
                told = waits_for
            if not wait and (row.invalidation_id or row.error_message):
                break
            if row.status in Invalidation.ACTIVE:
                time.sleep(pause or LOOK_AGAIN_SECONDS)
        return row


def _row(row: Invalidation) -> dict[str, Any]:
    return {
        "id": row.pk,
        "invalidation_id": row.invalidation_id,
        "status": row.status,
        "paths": row.paths,
        "waits_for": invalidations.waits_for(row),
        "error": row.error_message if row.status == Status.FAILURE else "",
    }


def _plan(plan: Plan) -> dict[str, Any]:
    return {
        "paths": plan.paths,
        "takes_besides": {each.path: each.count for each in plan.taken},
        "price": float(plan.price),
        "used": plan.ledger.used,
        "free_left": plan.ledger.free_left,
    }


def _said(plan: Plan) -> str:
    besides = {each.path: each for each in plan.taken}
    lines = []
    for path in plan.paths:
        more = besides.get(path)
        examples = ", ".join(more.examples) if more else ""
        lines.append(f"  {path}")
        if more:
            lines.append(f"      takes {more.count:,} more that nobody asked for: {examples}")
    return "\n".join(
        [
            f"Would be sent, for {priced(plan.price)}:",
            *lines,
            f"This month the account has used {plan.ledger.used:,} paths; "
            f"{plan.ledger.free_left:,} are left for nothing. Nothing was sent.",
        ]
    )
