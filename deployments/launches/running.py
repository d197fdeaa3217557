"""From a draft to a site that is served: the site, its operation, then its first deployment.

Each step is a row that was committed before the next begins, so whoever is killed is carried on by
beat; and each is made once, however often it is asked for.
"""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from celery import current_app
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from deployments import operations, uploads
from deployments.errors import DeploymentRefused
from deployments.launches.drafts import domain_of, end, new_site, path_of, raise_if_unfit
from deployments.models import Deployment, Launch
from deployments.progress import deciding
from sites import operations as site_operations
from sites.errors import Refused
from sites.models import Domain, Membership, Operation, Role, Site
from sites.people import Act, may
from sites.waking import wake

if TYPE_CHECKING:
    from django.contrib.auth.models import User

State, Source = Launch.State, Launch.Source


def shown_plan(launch: Launch, plan: dict[str, Any]) -> None:
    """Keep the plan that its owner is shown: no other one is launched."""
    Launch.objects.filter(pk=launch.pk, state=State.DRAFT).update(plan=plan)
    launch.plan = plan


@transaction.atomic
def launch(draft: Launch, checksum: str, *, by_hand: bool) -> Launch:
    """Make the site and ask for what it needs on AWS; once, however often it is called.

    Raises Refused when the draft no longer fits, or when another plan was shown.
    """
    row = (
        Launch.objects.select_for_update(of=("self",))
        .select_related("account", "team", "owner")
        .get(pk=draft.pk)
    )
    if row.state != State.DRAFT:
        return row
    if not checksum or row.plan.get("checksum") != checksum:
        raise DeploymentRefused("The draft was changed since this plan was shown. Look at it anew.")
    raise_if_unfit(row)
    _raise_if_not_allowed(row)
    site = _made(row)
    row.site, row.state, row.by_hand, row.launched_at = site, State.RUNNING, by_hand, timezone.now()
    row.save()
    _provision(site, row.owner, checksum=checksum, by_hand=by_hand)
    return row


def _raise_if_not_allowed(row: Launch) -> None:
    """A role may be gone since the draft was written; without a team the site is its maker's."""
    act = Act.CREATE if row.team else Act.ADMINISTER
    if not may(row.owner, act, row.team):
        raise DeploymentRefused("Choose a team in which you may make sites, then look at the plan.")


def _made(row: Launch) -> Site:
    site = new_site(row)
    try:
        with transaction.atomic():
            site.save(force_insert=True)
            for name in domain_of(row):
                Domain.objects.create(site=site, name=name)
    except IntegrityError as error:
        raise DeploymentRefused(
            "Somebody took the name or the domain a moment ago. Choose another."
        ) from error
    if row.team is None:
        Membership.objects.create(user=row.owner, site=site, role=Role.OWNER)
    return site


def _provision(site: Site, user: User, *, checksum: str = "", by_hand: bool = False) -> None:
    operation = site_operations.request(
        site, Operation.Kind.PROVISION, user, plan_checksum=checksum, by_hand=by_hand
    )
    wake(current_app.send_task, "sites.run_operation", (operation.pk,))


def due() -> QuerySet[Launch]:
    """What beat looks after."""
    return Launch.objects.filter(state=State.RUNNING)


def advance(pk: int) -> None:
    """Make the next step that is possible; none of them waits for anything."""
    row = due().select_related("site__account", "owner").filter(pk=pk).first()
    if row is None:
        return
    if row.site is None:
        end(row)
    elif is_next(row, row.site):
        _deploy(row, row.site)
    elif is_over(row, row.site):
        end(row)


def is_next(row: Launch, site: Site) -> bool:
    """Whether its files are published as soon as a worker comes to it."""
    is_asked = row.source != Source.NOTHING and row.deployment_id is None
    return is_asked and site.state == Site.State.LIVE and (row.may_publish or not row.by_hand)


def is_over(row: Launch, site: Site) -> bool:
    """Whether everything that was asked for is there."""
    last = _last_operation(site)
    if last is not None and last.status in (*Operation.ACTIVE, *Operation.FAILED):
        return False
    deployment = deployment_of(row)
    if deployment is None:
        return row.source == Source.NOTHING and site.state == Site.State.LIVE
    # Overtaken by a newer one is as good.
    return deployment.state in (Deployment.State.SUCCESS, Deployment.State.INACTIVE)


def _deploy(row: Launch, site: Site) -> None:
    """The row of the deployment, its file and the link to it are there together, or none is."""
    try:
        with deciding(site):
            row = (
                Launch.objects.select_for_update(of=("self",))
                .select_related("owner")
                .get(pk=row.pk)
            )
            if row.state != State.RUNNING or row.deployment_id is not None:
                return
            deployment = operations.create(
                site,
                row.git_url if row.source == Source.GIT else row.file_name or "sample.tar",
                message="The first release",
                creator=row.owner,
                trigger=Deployment.Trigger.DASHBOARD,
                idempotency_key=f"launch-{row.pk}-{row.attempt}",
                allowed=row.allowed,
            )
            if row.source == Source.FILES:
                uploads.put(deployment, path_of(row))
            elif row.source == Source.SAMPLE:
                uploads.keep(deployment, [_sample()])
            Launch.objects.filter(pk=row.pk).update(deployment=deployment, error_message="")
            task = "fetch_launch" if row.source == Source.GIT else "deploy_upload"
            wake(current_app.send_task, f"deployments.{task}", (deployment.pk,))
    except (Refused, OSError) as error:
        Launch.objects.filter(pk=row.pk).update(error_message=_in_words(error))


def publish(row: Launch) -> None:
    """By hand: have the files published. Raises Refused when that is not what is next."""
    rows = Launch.objects.filter(pk=row.pk, state=State.RUNNING, may_publish=False, deployment=None)
    if row.site is None or row.site.state != Site.State.LIVE or not rows.update(may_publish=True):
        raise DeploymentRefused("Publishing is not next, or is under way already.")
    wake(current_app.send_task, "deployments.advance_launch", (row.pk,))


def go_on(row: Launch) -> None:
    """By hand until now: the rest by itself, its publishing too."""
    Launch.objects.filter(pk=row.pk, state=State.RUNNING).update(by_hand=False)
    wake(current_app.send_task, "deployments.advance_launch", (row.pk,))


def retry(row: Launch, user: User) -> None:
    """Whatever has failed, once more; what is there already stays. Raises Refused."""
    site = row.site
    if site is None or row.state != State.RUNNING:
        raise DeploymentRefused("There is nothing to try again.")
    last = _last_operation(site)
    if last is not None and last.status in Operation.FAILED:
        with transaction.atomic():
            _provision(site, user, by_hand=row.by_hand)
    deployment = deployment_of(row)
    if deployment is not None and deployment.state in Deployment.FAILED:
        Launch.objects.filter(pk=row.pk, deployment=deployment).update(
            deployment=None, attempt=row.attempt + 1, updated_at=timezone.now()
        )
        wake(current_app.send_task, "deployments.advance_launch", (row.pk,))


def _last_operation(site: Site) -> Operation | None:
    return site.operations.filter(kind=Operation.Kind.PROVISION).defer("plan").first()


def deployment_of(row: Launch) -> Deployment | None:
    if row.deployment_id is None:
        return None
    return Deployment.objects.filter(pk=row.deployment_id).defer("manifest").first()


def _sample() -> bytes:
    """The sample site as an archive."""
    folder: Path = settings.BASE_DIR / "cloudadmin" / "demo"
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.add(folder, arcname="sample")
    return packed.getvalue()


def _in_words(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"The files could not be put where workers take them ({error.strerror})."
    return str(error)
