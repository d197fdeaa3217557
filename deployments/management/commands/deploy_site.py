"""``manage.py deploy_site NAME SOURCE``"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from deployments import manifest as manifests
from deployments import operations, previews
from deployments.files import injection, stat_cache
from deployments.files.stat_cache import StatCache
from deployments.management.reporting import Report, report_on
from deployments.manifest import Manifest
from deployments.models import Deployment
from deployments.source import SourceRefused
from deployments.source.opening import Opened, open_source
from deployments.source.secrets import JUDGES
from deployments.target import address
from deployments.upload import UploadError
from sites.access import clients_for
from sites.errors import hint
from sites.management.command import TRY_AGAIN_LATER, SiteCommand
from sites.models import Site
from sites.models.lease import LeaseLost

State, Environment = Deployment.State, Deployment.Environment


class Command(SiteCommand):
    help = (
        "Deploy a folder, an archive, an S3 prefix or a git repository: upload what changed, "
        "publish it at once, check it at the edge. Exit code 0 also says that it is ready but not "
        "published (the site is locked, or was rolled back), or that a newer deployment was "
        "published meanwhile: in both cases visitors get what they should."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument(
            "source",
            help="a folder, .zip, .tar(.gz, .bz2, .zst), s3://bucket/prefix, or a git URL (#ref)",
        )
        parser.add_argument("--message", "-m", default="", help="what this deployment is about")
        parser.add_argument("--ref", default="", help="branch, tag or commit of a git repository")
        parser.add_argument("--branch", default="", help="the branch that this is a build of")
        parser.add_argument(
            "--preview",
            nargs="?",
            const="",
            metavar="LABEL",
            help="deploy to an address of its own: of the label, of --branch, or of the number",
        )
        parser.add_argument(
            "--allow",
            action="append",
            default=[],
            metavar="PATH",
            help="deploy this file although it looks secret; may be given several times",
        )
        parser.add_argument("--submodules", action="store_true", help="fetch git submodules too")
        parser.add_argument(
            "--dry-run", action="store_true", help="only say what would be uploaded"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object at the end")
        parser.add_argument(
            "--json-lines",
            action="store_true",
            help="print a JSON object for each phase, second and log line, and the result at last",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        site = self.site(options["name"])
        source = options["source"].strip()
        if not source:
            raise CommandError("Name a folder, an archive or a git URL to deploy.")
        started = time.monotonic()
        injects = injection.is_wanted(site)
        cache = _cache(Path(source), injects)
        try:
            with open_source(
                source,
                ref=options["ref"],
                allow=options["allow"],
                submodules=options["submodules"],
                schemes=tuple(settings.CLOUDADMIN_GIT_SCHEMES),
                clients=clients_for(site.account),
                known=cache,
            ) as opened:
                manifest = manifests.build(
                    opened.root, cache=cache, files=opened.files, injects=injects
                )
                if options["dry_run"]:
                    self._say_what_would_happen(site, manifest)
                    return
                self._warn([*opened.warnings, *manifest.warnings])
                deployment = self._deploy(site, source, opened, manifest, options)
        except SourceRefused as error:
            raise CommandError(str(error)) from error
        self._say_result(site, deployment, time.monotonic() - started, options)

    def _deploy(
        self,
        site: Site,
        source: str,
        opened: Opened,
        manifest: Manifest,
        options: dict[str, Any],
    ) -> Deployment:
        deployment = _created(site, source, opened, manifest, options)
        deployment.claim(state=State.IN_PROGRESS)
        report = report_on(deployment, options, self.stdout.write)
        with deployment.heartbeat():
            try:
                self._run(deployment, opened, manifest, report)
            except LeaseLost as error:
                deployment.refresh_from_db()
                if deployment.state in Deployment.ACTIVE:
                    raise CommandError(_taken(site, deployment), TRY_AGAIN_LATER) from error
            except KeyboardInterrupt as error:
                raise CommandError(_interrupted(deployment)) from error
            except Exception as error:
                todo = hint(error.code) if isinstance(error, UploadError) else ""
                said = f"{error}{todo}" or type(error).__name__
                operations.fail(deployment, said)
                if isinstance(error, UploadError):
                    raise CommandError(said, returncode=TRY_AGAIN_LATER) from error
                raise
            finally:
                report.close()
        return deployment

    def _run(
        self, deployment: Deployment, opened: Opened, manifest: Manifest, report: Report
    ) -> None:
        report.changed()
        operations.upload(deployment, manifest, opened.root, report.on_progress)
        operations.finish(deployment, report.pause)
        report.changed()

    def _warn(self, warnings: list[str]) -> None:
        for warning in warnings:
            self.stderr.write(f"Warning: {warning}")

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
        self, site: Site, deployment: Deployment, seconds: float, options: dict[str, Any]
    ) -> None:
        is_preview = deployment.environment == Environment.PREVIEW
        url = previews.url_of(deployment) if is_preview else address(site)
        if options["json"] or options["json_lines"]:
            result = {
                "number": deployment.number,
                "state": deployment.state,
                "uploaded": deployment.uploaded,
                "unchanged": deployment.unchanged,
                "deleted": deployment.deleted,
                "bytes": deployment.bytes,
                "url": url,
                "seconds": round(seconds, 3),
                "published": deployment.is_published or deployment.is_previewed,
                "reason": deployment.error_message,
            }
            self.stdout.write(json.dumps(result))
        elif deployment.state == State.SUCCESS:
            self.stdout.write(_in_words(deployment, url, seconds))
        elif _is_overtaken(deployment):
            self.stdout.write(f"Deployment #{deployment.number}: {deployment.error_message}")
        if deployment.state != State.SUCCESS and not _is_overtaken(deployment):
            raise CommandError(deployment.error_message)


def _cache(source: Path, injects: bool) -> StatCache | None:
    """What was unpacked is new each time; a folder's files mostly are those of last time."""
    if not source.is_dir():
        return None
    changes = injection.CHANGES if injects else ""
    folder = settings.DATA_DIR / "stat-cache"
    return stat_cache.of(source, folder, judges=JUDGES, changes=changes)


def _created(
    site: Site, source: str, opened: Opened, manifest: Manifest, options: dict[str, Any]
) -> Deployment:
    branch = options["branch"] or opened.ref
    is_preview = options["preview"] is not None
    named = options["preview"] or options["branch"]
    return operations.create(
        site,
        source,
        message=options["message"],
        environment=Environment.PREVIEW if is_preview else Environment.PRODUCTION,
        label=previews.label_of(named) if is_preview and named else "",
        ref=branch,
        sha=opened.sha,
        author=opened.author,
        warnings=[*opened.warnings, *manifest.warnings],
        allowed=opened.allowed,
    )


def _is_overtaken(deployment: Deployment) -> bool:
    return deployment.state == State.INACTIVE and not deployment.cancel_requested


def _in_words(deployment: Deployment, url: str, seconds: float) -> str:
    sums = (
        f"{deployment.uploaded} uploaded, {deployment.unchanged} unchanged, "
        f"{deployment.deleted} deleted, in {seconds:.1f} s."
    )
    if deployment.is_published or deployment.is_previewed:
        return f"Deployment #{deployment.number} is live at {url}: {sums}"
    name, number = deployment.site.name, deployment.number
    return (
        f"Deployment #{number} is not published: {sums} {deployment.error_message}\n"
        f"`manage.py rollback_site {name} --to {number}` publishes it."
    )


def _taken(site: Site, deployment: Deployment) -> str:
    return (
        f"Deployment #{deployment.number} is no longer this command's: a worker took it over, or "
        f"{site.name} was destroyed. See `manage.py site_status {site.name}`."
    )


def _interrupted(deployment: Deployment) -> str:
    if operations.interrupt(deployment):
        return f"Deployment #{deployment.number}: {deployment.error_message}"
    return (
        f"Interrupted too late: deployment #{deployment.number} is being served; a worker goes on "
        "checking it. `manage.py rollback_site` goes back."
    )
