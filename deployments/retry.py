"""Once more what did not come to be published, as a new deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deployments import operations, pushes
from deployments.errors import DeploymentRefused
from deployments.models import Deployment, Repository
from deployments.progress import deciding
from deployments.rollback import again

if TYPE_CHECKING:
    from django.contrib.auth.models import User

State = Deployment.State


def has_ended_in_vain(row: Deployment) -> bool:
    ended = row.state in (*Deployment.FAILED, State.INACTIVE)
    return ended and row.published_at is None and row.pruned_at is None


def has_files(row: Deployment) -> bool:
    """Whether the bucket has all of them, so that nothing is sent again."""
    return has_ended_in_vain(row) and row.phase not in operations.UPLOADING and bool(row.files)


def is_of_branch(row: Deployment) -> bool:
    """Whether its branch can be fetched again, if the site has a repository still."""
    return has_ended_in_vain(row) and row.trigger == Deployment.Trigger.PUSH


def is_fetched(row: Deployment) -> bool:
    """Whether its branch can be fetched again."""
    return is_of_branch(row) and Repository.objects.filter(site=row.site_id).exists()


def retry(row: Deployment, creator: User | None = None) -> Deployment:
    """The new deployment: of the same files, or else of what its branch has now.

    The caller has a worker go on with the one in the queue. Raises DeploymentRefused.
    """
    if has_files(row):
        with deciding(row.site):
            return again(
                row,
                creator,
                row.description or f"Deployment #{row.number} once more",
                trigger=Deployment.Trigger.DASHBOARD,
                environment=row.environment,
                label=row.label,
            )
    if is_fetched(row):
        return pushes.deploy(Repository.objects.get(site=row.site_id), row.ref, creator=creator)
    raise DeploymentRefused(why_not(row))


def why_not(row: Deployment) -> str:
    if not has_ended_in_vain(row):
        return f"There is nothing to try again: deployment #{row.number} did not fail."
    return (
        f"The files of #{row.number} never arrived as a whole, and are not here any more; deploy "
        "them again from where they are."
    )
