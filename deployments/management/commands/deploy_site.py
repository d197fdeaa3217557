"""``manage.py deploy_site NAME SOURCE``"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from rich.progress import BarColumn, Progress, TextColumn, TransferSpeedColumn

from deployments import manifest as manifests
from deployments import operations
from deployments.edge_index import DigestCollision, IndexFull
from deployments.manifest import Manifest
from deployments.models import Deployment
from deployments.source import SourceRefused, open_source
from deployments.target import address
from deployments.upload import UploadError
from sites.access import clients_for
from sites.management.command import TRY_AGAIN_LATER, SiteCommand
from sites.models import Site
from sites.models.lease import LeaseLost


class Command(SiteCommand):
    help = (
        "Deploy a folder or a zip: upload what changed, publish it at once, check it at the edge."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("source", help="a folder or a .zip file")
        parser.add_argument("--message", "-m", default="", help="what this deployment is about")
        parser.add_argument(
            "--dry-run", action="store_true", help="only say what would be uploaded"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object at the end")

    def handle(self, *args: Any, **options: Any) -> None:
        site = self.site(options["name"])
        if not options["source"].strip():
            raise CommandError("Name a folder or a .zip file to deploy.")
        started = time.monotonic()
        try:
            with open_source(Path(options["source"])) as root:
                manifest = manifests.build(root)
                if options["dry_run"]:
                    self._say_what_would_happen(site, manifest)
                    return
                deployment = self._deploy(site, manifest, root, options)
        except SourceRefused as error:
            raise CommandError(str(error)) from error
        self._say_result(site, deployment, time.monotonic() - started, as_json=options["json"])

    def _deploy(
        self, site: Site, manifest: Manifest, root: Path, options: dict[str, Any]
    ) -> Deployment:
        clients_for(site.account).sts.get_caller_identity()
        deployment = operations.create(site, options["source"], message=options["message"])
        deployment.claim(state=Deployment.State.IN_PROGRESS)
        with deployment.heartbeat():
            try:
                self._upload(deployment, manifest, root)
                operations.finish(deployment, time.sleep)
            except LeaseLost as error:
                raise CommandError(
                    f"Deployment #{deployment.number} is no longer this command's: a worker took "
                    f"it over, or {site.name} was destroyed. See `manage.py site_status "
                    f"{site.name}`.",
                    returncode=TRY_AGAIN_LATER,
                ) from error
            except (Exception, KeyboardInterrupt) as error:
                if deployment.state in Deployment.ACTIVE:
                    operations.fail(deployment, _reason(error))
                if isinstance(error, UploadError):
                    raise CommandError(str(error), returncode=TRY_AGAIN_LATER) from error
                if isinstance(error, IndexFull | DigestCollision):
                    raise CommandError(str(error)) from error
                raise
        return deployment

    def _upload(self, deployment: Deployment, manifest: Manifest, root: Path) -> None:
        missing = operations.missing_objects(deployment.site, manifest)
        with Progress(
            TextColumn("Uploading"),
            BarColumn(),
            TextColumn("{task.fields[files]}/{task.fields[total_files]} files"),
            TransferSpeedColumn(),
            transient=True,
            disable=not sys.stderr.isatty(),
        ) as progress:
            size = sum(entry.size for entry in missing.values())
            bar = progress.add_task("upload", total=size, files=0, total_files=len(missing))

            def on_progress(files: int, sent: int) -> None:
                progress.update(bar, completed=sent, files=files)

            operations.upload(deployment, manifest, root, on_progress)

    def _say_what_would_happen(self, site: Site, manifest: Manifest) -> None:
        missing = operations.missing_objects(site, manifest)
        gone = operations.published_manifest(site).entries.keys() - manifest.entries.keys()
        for path in sorted(missing):
            self.stdout.write(f"+ {path}")
        for path in sorted(gone):
            self.stdout.write(f"- {path}")
        self.stdout.write(
            f"{len(missing)} to upload, {len(manifest.entries) - len(missing)} unchanged, "
            f"{len(gone)} to delete. Nothing was done."
        )

    def _say_result(
        self, site: Site, deployment: Deployment, seconds: float, *, as_json: bool
    ) -> None:
        url = address(site)
        if as_json:
            result = {
                "number": deployment.number,
                "state": deployment.state,
                "uploaded": deployment.uploaded,
                "unchanged": deployment.unchanged,
                "deleted": deployment.deleted,
                "bytes": deployment.bytes,
                "url": url,
                "seconds": round(seconds, 3),
            }
            self.stdout.write(json.dumps(result))
        elif deployment.state == Deployment.State.SUCCESS:
            self.stdout.write(
                f"Deployment #{deployment.number} is live at {url}: "
                f"{deployment.uploaded} uploaded, {deployment.unchanged} unchanged, "
                f"{deployment.deleted} deleted, in {seconds:.1f} s."
            )
        if deployment.state != Deployment.State.SUCCESS:
            raise CommandError(deployment.error_message)


def _reason(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt):
        return "Interrupted. What was not published yet stays unpublished."
    return str(error) or type(error).__name__
