"""What was changed on AWS behind our back, and what a person does about it.

of_site   what is known, in words, the dangerous first; ``sites.drift_checks`` finds it
restore   an ordinary operation that puts it right; its plan is shown first
accept    it is wanted from now on; ``unaccept`` takes that back

Shared things belong to the account; they are told at every site that stands on them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.contrib.admin.models import CHANGE, LogEntry
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q, QuerySet

from sites import operations, provisioning
from sites.errors import Refused
from sites.models import Operation, OperationEvent, Resource, Site
from sites.provisioning.documents import at, overlay, placed, put
from sites.provisioning.drift import Drift, accepting, urgency
from sites.store import account_lock, record_of

if TYPE_CHECKING:
    from django.contrib.auth.models import User

SOMEBODY = "Somebody at the command line"
# Fields of AWS that are settings of ours: (type, path) -> field of the site and of the resource.
SETTINGS = {("distribution", "PriceClass"): "price_class"}


class DriftRefused(Refused):
    """The drift cannot be accepted, or not now."""


@dataclass(frozen=True)
class Found:
    """One drift of one resource, as it was last seen."""

    resource: Resource
    drift: Drift

    @property
    def sentence(self) -> str:
        return self.drift.sentence

    @property
    def is_security(self) -> bool:
        return self.drift.is_security

    @property
    def is_shared(self) -> bool:
        """Whether it is the account's, and concerns all of its sites."""
        return self.resource.site_id is None

    @property
    def fixed(self) -> str:
        """Why it cannot be accepted; empty when it can."""
        return self.drift.fixed

    @property
    def key(self) -> tuple[str, str]:
        return self.drift.logical_id, self.drift.path

    def accept(self, user: User | None = None) -> None:
        accept(self.resource, [self.drift.path], user)

    def as_json(self) -> dict[str, Any]:
        drift = self.drift
        return {
            "logical_id": drift.logical_id,
            "type": drift.type,
            "label": drift.label,
            "path": drift.path,
            "recorded": drift.recorded,
            "actual": drift.actual,
            "is_gone": drift.is_gone,
            "is_security": drift.is_security,
            "is_shared": self.is_shared,
            "sentence": drift.sentence,
            "fixed": drift.fixed,
        }


def rows_of(site: Site) -> QuerySet[Resource]:
    """The site's resources, and those that it shares."""
    own_or_shared = Q(site=site) | Q(site=None, account=site.account)
    return Resource.objects.select_related("account", "site").filter(own_or_shared)


def of_site(site: Site) -> list[Found]:
    """What is known to have drifted, security first."""
    found = (
        Found(row, Drift.from_json(each))
        for row in rows_of(site).exclude(drift=[])
        for each in row.drift
    )
    return sorted(found, key=lambda each: urgency(each.drift))


def restore_plan(site: Site, only: Iterable[Found] | None = None) -> provisioning.Plan:
    """What ``restore`` would do; everything else that the site wants changed is in it as well."""
    return operations.plan(site, leaving=_left(site, only))


def restore(
    site: Site,
    plan_checksum: str,
    creator: User | None = None,
    only: Iterable[Found] | None = None,
) -> Operation:
    """Ask for the operation whose plan was shown; the caller enqueues it, as after ``request``.

    With ``only``, other known drift stays as it is while the operation goes on, and stays drift.
    Raises OperationRefused.
    """
    left = _left(site, only)
    with transaction.atomic():
        operation = operations.request(
            site, Operation.Kind.PROVISION, creator, plan_checksum=plan_checksum
        )
        for row in rows_of(site).select_for_update(of=("self",)).exclude(drift=[]):
            for each in row.drift:
                each["is_left"] = (row.logical_id, each["path"]) in left
                each["operation"] = operation.pk
            row.save(update_fields=["drift"])
        return operation


def accept(resource: Resource, paths: Sequence[str], user: User | None = None) -> None:
    """Want these drifted fields as they are on AWS from now on. Raises DriftRefused.

    It lasts until the setting behind the field is changed, or until ``unaccept``. Where the field
    is a setting of the site, the setting is changed.
    """
    with _held(resource) as row:
        for path in paths:
            drift = _known(row, path)
            if drift.fixed:
                raise DriftRefused(f"{drift.sentence} {drift.fixed}")
            values = accepting(map(Drift.from_json, row.drift), path)
            if setting := SETTINGS.get((row.type, path)):
                _set(row, setting, drift.actual)
            else:
                for each, value in values.items():
                    row.accepted = put(row.accepted, each, value)
            row.properties = overlay(row.properties, placed(values))
            row.drift = [each for each in row.drift if each["path"] not in values]
            _tell(row, user, f"accepted what AWS has: {drift.sentence}")
        row.save()


def unaccept(resource: Resource, paths: Sequence[str], user: User | None = None) -> None:
    """Want these fields as the site's settings say again: they are drift until they are restored.

    Raises DriftRefused.
    """
    with _held(resource) as row:
        before = [*_as_drift(row)]
        for path in paths:
            if path not in row.accepted:
                accepted = ", ".join(row.accepted) or "nothing"
                raise DriftRefused(f"{path} of {row.logical_id} is not accepted; {accepted} is.")
            desired = record_of(row).resource.desired()
            for each in accepting(before, path):
                row.accepted.pop(each, None)
                row.properties = overlay(row.properties, placed({each: at(desired, each)}))
            _tell(row, user, f"no longer accepts {path} of {row.logical_id} as AWS has it")
        row.drift = [
            *(each for each in row.drift if each["path"] not in paths),
            *(each.as_json() for each in before if each.path in paths),
        ]
        row.save()


def _as_drift(row: Resource) -> Iterator[Drift]:
    """What was accepted, as the drift that it was."""
    resource = record_of(row).resource
    for path, value in row.accepted.items():
        recorded = at(resource.desired(), path)
        if not path.endswith(".Quantity"):
            yield Drift(row.logical_id, row.type, resource.label, path, recorded, value)


def _left(site: Site, only: Iterable[Found] | None) -> Collection[tuple[str, str]]:
    if only is None:
        return ()
    chosen = {found.key for found in only}
    return {found.key for found in of_site(site)} - chosen


def _known(row: Resource, path: str) -> Drift:
    for each in row.drift:
        if each["path"] == path:
            return Drift.from_json(each)
    known = ", ".join(each["path"] or "(gone)" for each in row.drift) or "none is known"
    raise DriftRefused(
        f"{path or 'The whole'} of {row.logical_id} is not known to have drifted ({known}); "
        "look again with `manage.py check_drift`."
    )


def _set(row: Resource, field: str, value: Any) -> None:
    """Changes the setting, and what was asked for with it."""
    site = row.site
    if site is None:
        raise DriftRefused("It is a setting of each site; change it there.")
    setattr(site, field, value)
    try:
        site.clean_fields(exclude={each.name for each in Site._meta.fields} - {field})
    except ValidationError as error:
        raise DriftRefused(
            f"{value} is no {field.replace('_', ' ')} that cloudadmin knows: "
            f"{' '.join(error.messages)} Restore it, or choose another in the site's settings."
        ) from error
    site.save(update_fields=[field])
    row.inputs[field] = value


@contextmanager
def _held(resource: Resource) -> Iterator[Resource]:
    """The row, to be changed by nobody else. An operation that is at work would not know."""
    is_shared = resource.site_id is None
    lock = account_lock(resource.account) if is_shared else nullcontext(True)
    with lock as is_ours, transaction.atomic():
        row = Resource.objects.select_for_update().get(pk=resource.pk)
        active = Operation.objects.filter(site=row.site, status__in=Operation.ACTIVE)
        if not is_ours or (not is_shared and active.exists()):
            raise DriftRefused(
                f"An operation is at work on {row.site or row.account}; try again when it is done.",
                try_again=True,
            )
        yield row
    resource.refresh_from_db()


def _tell(row: Resource, user: User | None, message: str) -> None:
    """Into the history of the last operation, and into the log of the dashboard."""
    who = user.get_username() if user else SOMEBODY
    history = Operation.objects.filter(
        **({"site": row.site} if row.site_id else {"site__account": row.account})
    )
    if operation := history.first():
        OperationEvent.objects.create(
            operation=operation, logical_id=row.logical_id, message=f"{who} {message}"
        )
    if user:
        LogEntry.objects.log_actions(
            user.pk, [row.site or row.account], CHANGE, message, single_object=True
        )
