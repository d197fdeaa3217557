"""What was typed and chosen for a new site: kept whatever happens, and judged.

A file takes the place of the one before it only when it could be published as it is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

from django.conf import settings
from django.utils import timezone

from deployments.errors import DeploymentRefused
from deployments.models import Launch
from deployments.source import SourceRefused
from deployments.source.opening import open_source
from deployments.source.rules import LIMITS, in_words
from sites.models import Domain, Site

KEPT_FOR = timedelta(days=7)
# A file on its way may be so old before it counts as left behind.
ARRIVING = timedelta(days=1)


def folder() -> Path:
    path: Path = settings.DATA_DIR / "launches"
    return path


def path_of(launch: Launch) -> Path:
    return folder() / launch.file


def write(launch: Launch, **fields: object) -> None:
    """Raises DeploymentRefused when it is no draft any more."""
    drafts = Launch.objects.filter(pk=launch.pk, state=Launch.State.DRAFT)
    # Whoever changes it has to be shown another plan.
    fields = {"plan": {}, "updated_at": timezone.now(), **fields}
    if not drafts.update(**fields):
        raise DeploymentRefused("This site is being made already; nothing was changed.")
    for name, value in fields.items():
        setattr(launch, name, value)


def keep_file(
    launch: Launch, name: str, chunks: Iterable[bytes], allow: Collection[str] = ()
) -> None:
    """Keep an archive in place of the one before. Raises SourceRefused and DeploymentRefused, and
    then keeps that one."""
    folder().mkdir(parents=True, exist_ok=True)
    arrived, before = folder() / uuid4().hex, launch.file
    try:
        _put_down(arrived, name, chunks)
        judged = _judged(arrived, name, allow)
        write(launch, file=arrived.name, file_name=name[:255], refused="", **judged)
    except BaseException:
        arrived.unlink(missing_ok=True)
        raise
    if before:
        (folder() / before).unlink(missing_ok=True)


def _put_down(path: Path, name: str, chunks: Iterable[bytes]) -> None:
    size = 0
    with path.open("wb") as target:
        for chunk in chunks:
            size += len(chunk)
            if size > LIMITS.total_bytes:
                raise SourceRefused(
                    f"{name} is larger than {in_words(LIMITS.total_bytes)}; split the site."
                )
            target.write(chunk)


def _judged(path: Path, name: str, allow: Collection[str]) -> dict[str, object]:
    """By the code that deploys it. What is wrong is told by its own name, not by ours."""
    try:
        with open_source(path, allow=allow) as opened:
            sizes = [file.size for file in opened.files]
            return {
                "file_count": len(sizes),
                "file_bytes": sum(sizes),
                "warnings": list(opened.warnings),
                "allowed": list(opened.allowed),
            }
    except SourceRefused as refused:
        why = str(refused).removeprefix(f"{path} cannot be deployed: ").replace(str(path), name)
        raise SourceRefused(f"{name} was not taken: {why}") from refused


def new_site(launch: Launch) -> Site:
    """The site as it would be, without a row. Raises DeploymentRefused without an account."""
    if launch.account is None:
        raise DeploymentRefused("The AWS account that was chosen is gone. Choose another one.")
    return Site(
        uid=launch.uid,
        name=launch.name,
        account=launch.account,
        team=launch.team,
        has_counter=launch.has_counter,
    )


def domain_of(launch: Launch) -> tuple[str, ...]:
    return (launch.domain,) if launch.domain else ()


def raise_if_unfit(launch: Launch) -> None:
    """Raises DeploymentRefused for what was taken, or went away, since it was typed."""
    if Site.objects.filter(name=launch.name).exists():
        raise DeploymentRefused(f"“{launch.name}” is taken meanwhile. Choose another name.")
    if launch.domain and Domain.objects.filter(name=launch.domain).exists():
        raise DeploymentRefused(
            f"Another site here has {launch.domain} meanwhile. Choose another, or none for now."
        )
    if launch.source == Launch.Source.FILES and not (launch.file and path_of(launch).exists()):
        raise DeploymentRefused("The files are not here any more. Choose them again.")


def discard(launch: Launch) -> None:
    """A draft and its file; what was launched stays."""
    deleted, _ = Launch.objects.filter(pk=launch.pk, state=Launch.State.DRAFT).delete()
    if deleted and launch.file:
        path_of(launch).unlink(missing_ok=True)


def expire() -> None:
    """After a week in which nobody touched them: drafts go, and so do the files of launches that
    nobody carried on. What a killed process left goes as well."""
    now = timezone.now()
    old = Launch.objects.filter(updated_at__lt=now - KEPT_FOR)
    for launch in old.filter(state=Launch.State.DRAFT):
        discard(launch)
    for launch in old.filter(state=Launch.State.RUNNING):
        end(launch)
    if not folder().is_dir():
        return
    kept = {*Launch.objects.exclude(file="").values_list("file", flat=True)}
    for path in folder().iterdir():
        if path.name not in kept and path.stat().st_mtime < (now - ARRIVING).timestamp():
            path.unlink(missing_ok=True)


def end(launch: Launch) -> None:
    """Nothing is left to do; its file is not needed any more."""
    file = path_of(launch) if launch.file else None
    Launch.objects.filter(pk=launch.pk).update(
        state=Launch.State.DONE, file="", error_message="", updated_at=timezone.now()
    )
    if file is not None:
        file.unlink(missing_ok=True)
