"""Whose turn it is, and whether deployments are published by themselves.

Uploads go on side by side. From the index to the end, a site has one deployment at a time; the
others wait. Of what waits for one address, the newest goes first: those that it overtakes end then
without a flip. Everything here is decided under the lock of the site's row.
"""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone

from deployments.errors import DeploymentRefused
from deployments.models import Deployment, DeploySettings
from deployments.progress import deciding
from sites.models import Site

State, Phase, Environment = Deployment.State, Deployment.Phase, Deployment.Environment

IN_LANE = (Phase.INDEX, Phase.SETTLE, Phase.FLIP, Phase.VERIFY)
# Before the head is named, ending a deployment changes nothing for any visitor.
BEFORE_FLIP = (Phase.SOURCE, Phase.UPLOAD, Phase.QUEUE, Phase.INDEX, Phase.SETTLE)


# --- Whose turn it is -----------------------------------------------------------------------------


def before(deployment: Deployment) -> list[Deployment]:
    """Those that come first: the one in the lane, then who waits, in their order."""
    rows = Deployment.objects.filter(
        site=deployment.site_id, state__in=Deployment.ACTIVE, phase__in=[Phase.QUEUE, *IN_LANE]
    ).defer("manifest")
    others = [row for row in rows if row.pk != deployment.pk]
    in_lane = [row for row in others if row.phase in IN_LANE]
    waiting = in_order([deployment, *(row for row in others if row.phase == Phase.QUEUE)])
    return in_lane + waiting[: [row.pk for row in waiting].index(deployment.pk)]


def in_order(waiting: list[Deployment]) -> list[Deployment]:
    """Address by address as they were first asked for, and for each address the newest first."""
    first: dict[tuple[str, str], int] = {}
    for row in waiting:
        first[_address(row)] = min(row.number, first.get(_address(row), row.number))
    return sorted(waiting, key=lambda row: (first[_address(row)], -row.number))


def place(deployment: Deployment) -> int | None:
    """How many are before it; None when it does not wait."""
    if deployment.state not in Deployment.ACTIVE or deployment.phase != Phase.QUEUE:
        return None
    return len(before(deployment))


def overtaken_by(deployment: Deployment) -> Deployment | None:
    """A newer deployment that was served at the same address, if any."""
    newer = Deployment.objects.filter(
        site=deployment.site_id,
        environment=deployment.environment,
        label=deployment.label,
        number__gt=deployment.number,
    ).defer("manifest")
    if deployment.environment == Environment.PRODUCTION:
        newer = newer.filter(published_at__isnull=False)
    else:
        newer = newer.filter(state=State.SUCCESS)
    return newer.first()


def overtaken(newer: Deployment) -> str:
    """The sentence for who comes too late."""
    return f"Overtaken by #{newer.number}, which is newer and was published first."


def _address(deployment: Deployment) -> tuple[str, str]:
    return deployment.environment, deployment.label


# --- Whether deployments are published by themselves ----------------------------------------------


def stopped_because(site: Site, *, verb: str = "is") -> str:
    """Why a deployment to production is not published by itself, without a full stop; empty when
    it is."""
    row = DeploySettings.objects.filter(site=site).first()
    if row is None:
        return ""
    if is_locked(row):
        until = f" until {row.locked_until:%Y-%m-%d %H:%M} UTC" if row.locked_until else ""
        owner = f" by {row.locked_by}" if row.locked_by else ""
        return f"{site.name} {verb} locked{owner}{until}: {row.lock_reason.rstrip('.')}"
    return f"{site.name} was {row.held_back}" if row.held_back else ""


def is_locked(row: DeploySettings) -> bool:
    """A lock that has expired counts for nothing."""
    return row.locked_at is not None and (
        row.locked_until is None or row.locked_until > timezone.now()
    )


def lock(site: Site, reason: str, owner: str = "", until: datetime | None = None) -> None:
    """From here on deployments end ready, not published. Whoever holds the lock may change it.

    Raises DeploymentRefused without a reason, or when the time has passed already.
    """
    if not reason.strip():
        raise DeploymentRefused("A lock needs a reason: who meets it wants to know why.")
    if until is not None and until <= timezone.now():
        raise DeploymentRefused("A lock ends in the future; give at least a few minutes.")
    with deciding(site):
        _change(
            site,
            lock_reason=reason.strip()[:300],
            locked_by=owner[:150],
            locked_at=timezone.now(),
            locked_until=until,
        )


def unlock(site: Site) -> None:
    """Raises DeploymentRefused when it is not locked."""
    with deciding(site):
        if not DeploySettings.objects.filter(site=site, locked_at__isnull=False).exists():
            raise DeploymentRefused(f"{site.name} is not locked.")
        _change(site, lock_reason="", locked_by="", locked_at=None, locked_until=None)


def hold(site: Site, reason: str) -> None:
    """Stop publishing by itself; ``reason`` goes on after “the site was”."""
    with deciding(site):
        _change(site, held_back=reason[:300])


def release_hold(site: Site) -> bool:
    """Publish the next deployments by themselves again; whether that had stopped."""
    with deciding(site):
        held = DeploySettings.objects.filter(site=site).exclude(held_back="")
        return bool(held.update(held_back=""))


def ready(site: Site) -> Deployment | None:
    """The newest deployment that is one flip away from being published, if that is newer than the
    published one."""
    newest = (
        Deployment.objects.filter(
            site=site,
            environment=Environment.PRODUCTION,
            state__in=[State.SUCCESS, State.INACTIVE],
            phase=Phase.DONE,
            pruned_at__isnull=True,
        )
        .defer("manifest")
        .first()
    )
    return newest if newest and newest.published_at is None else None


def _change(site: Site, **changes: object) -> None:
    DeploySettings.objects.update_or_create(site=site, defaults=changes)
