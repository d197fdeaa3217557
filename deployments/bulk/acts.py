"""What can be done to many sites at once. Each act is safe to repeat for a site."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from django.db.models import Exists, OuterRef, Q, QuerySet

from deployments import access, invalidations, lane
from deployments.models import BulkItem, DeploySettings, Launch
from sites import drift, drift_checks, operations
from sites.errors import Refused
from sites.models import Operation, Site
from sites.people import Act, may
from sites.people.moving import destinations

if TYPE_CHECKING:
    from django.contrib.auth.models import User

LIVE = Site.State.LIVE
BY_HAND = (
    "It is being made step by step, and this would do all that is left at once. Finish it on its "
    "own page first."
)


@dataclass(frozen=True)
class Outcome:
    """How it went for a site; an ``operation`` is waited for."""

    said: str
    operation: Operation | None = None
    wake: tuple[str, int] | None = None  # a task, after commit; beat would find its row as well


class BulkAct:
    """``slug`` is in rows and addresses; ``title`` is the button; ``says`` what will happen.

    ``is_local``: it writes rows alone, and so belongs in one transaction with its outcome.
    """

    slug: ClassVar[str]
    title: ClassVar[str]
    says: ClassVar[str]
    act: ClassVar[Act] = Act.OPERATE
    asks: ClassVar[str] = ""  # the one option that is asked for
    is_local: ClassVar[bool] = True
    most_at_once: ClassVar[int] = 0  # so many of its operations are under way at a time
    danger: ClassVar[bool] = False

    def rows(self, rows: QuerySet[Site]) -> QuerySet[Site]:
        """The same with what ``skipped`` looks at, of all of them at once."""
        return rows.select_related("account", "deploy_settings")

    def skipped(self, site: Site, user: User) -> str:
        """Why nothing is done to this site; empty when something is."""
        if site.state == Site.State.DESTROYING:
            return "It is being destroyed."
        if not may(user, self.act, site):
            return f"Your role there does not let you {self.act.value}."
        return self.unfit(site)

    def unfit(self, site: Site) -> str:
        return ""

    def do(self, site: Site, options: dict[str, Any], item: BulkItem, user: User) -> Outcome:
        """Raises Refused."""
        raise NotImplementedError


def _not_live(site: Site) -> str:
    return "" if site.state == LIVE else "It is not live."


class SyncVisits(BulkAct):
    slug, title = "sync-visits", "Sync visits"
    says = "The counters of their accounts are pulled now: all that an account has at once."

    def unfit(self, site: Site) -> str:
        return _not_live(site) or ("" if site.has_counter else "It has no counter.")

    def do(self, site: Site, options: dict[str, Any], item: BulkItem, user: User) -> Outcome:
        done = BulkItem.objects.filter(
            run=item.run_id, state=BulkItem.State.SUCCESS, site__account=site.account_id
        )
        if done.exists():
            return Outcome(f"Pulled with the others of {site.account}.")
        wake = ("sites.sync_visits_of_account", site.account_id)
        return Outcome(f"The counters of {site.account} are being pulled.", wake=wake)


class CheckDrift(BulkAct):
    slug, title = "check-drift", "Compare with AWS"
    says = "Every resource is read on AWS and compared. Nothing is changed; a site takes seconds."
    is_local = False

    def unfit(self, site: Site) -> str:
        return "Nothing of it is on AWS." if site.state == Site.State.DRAFT else ""

    def do(self, site: Site, options: dict[str, Any], item: BulkItem, user: User) -> Outcome:
        failures = drift_checks.check(site)
        if failures:
            raise Refused("Not everything could be looked at. " + " ".join(map(str, failures)))
        count = len(drift.of_site(site))
        if not count:
            return Outcome("Everything on AWS is as it was asked for.")
        return Outcome(f"{count} field{'s' if count > 1 else ''} changed on AWS.")


class Provision(BulkAct):
    slug, title = "provision", "Provision"
    says = (
        "Each is brought to what it should be, as its own plan says; what is as it should be stays "
        "so. What would delete data is refused. A few at a time: the others wait."
    )
    most_at_once = 4

    def rows(self, rows: QuerySet[Site]) -> QuerySet[Site]:
        here = OuterRef("pk")
        operations = Operation.objects.filter(site=here, by_hand=True, status__in=Operation.ACTIVE)
        # Where a step failed, its operation has ended, and the next one will ask again.
        launches = Launch.objects.filter(
            ~Q(site__state=LIVE), site=here, by_hand=True, state=Launch.State.RUNNING
        )
        return super().rows(rows).annotate(is_by_hand=Exists(operations) | Exists(launches))

    def unfit(self, site: Site) -> str:
        return BY_HAND if getattr(site, "is_by_hand", False) else ""

    def do(self, site: Site, options: dict[str, Any], item: BulkItem, user: User) -> Outcome:
        operation = operations.request(site, Operation.Kind.PROVISION, user)
        wake = ("sites.run_operation", operation.pk)
        return Outcome("Is being provisioned.", operation=operation, wake=wake)


class Invalidate(BulkAct):
    slug, title = "invalidate", "Invalidate all paths"
    says = (
        "CloudFront forgets everything of these sites: one path of each counts against the 1,000 "
        "free ones that an account has a month. Deployments never need this."
    )
    act = Act.DEPLOY
    danger = True

    def unfit(self, site: Site) -> str:
        return _not_live(site)

    def do(self, site: Site, options: dict[str, Any], item: BulkItem, user: User) -> Outcome:
        row = invalidations.request(site, ["/*"], user)
        return Outcome("Asked for.", wake=("deployments.send_invalidation", row.pk))


class Lock(BulkAct):
    slug, title = "lock", "Lock"
    says = "What is served stays. Deployments are made ready meanwhile, and not published."
    act = Act.DEPLOY
    asks = "reason"

    def unfit(self, site: Site) -> str:
        return _not_live(site)

    def do(self, site: Site, options: dict[str, Any], item: BulkItem, user: User) -> Outcome:
        lane.lock(site, str(options.get("reason", "")), user.get_username())
        return Outcome("Locked.")


class Unlock(BulkAct):
    slug, title = "unlock", "Unlock"
    says = "From the next deployment on, what is deployed is published when it is there."
    act = Act.DEPLOY

    def unfit(self, site: Site) -> str:
        row: DeploySettings | None = getattr(site, "deploy_settings", None)
        return "" if row is not None and row.locked_at is not None else "It is not locked."

    def do(self, site: Site, options: dict[str, Any], item: BulkItem, user: User) -> Outcome:
        lane.unlock(site)
        return Outcome("Unlocked.")


class Maintenance(BulkAct):
    slug, title = "maintenance", "Maintenance on"
    says = "Every visitor gets the page of maintenance, within seconds."
    is_local = False
    is_on: ClassVar[bool] = True
    danger = True

    def unfit(self, site: Site) -> str:
        return _not_live(site)

    def do(self, site: Site, options: dict[str, Any], item: BulkItem, user: User) -> Outcome:
        changed = access.set_maintenance(site, on=self.is_on, user=user)
        state = "In maintenance" if self.is_on else "Served"
        return Outcome(f"{state} now." if changed else f"{state} already.")


class MaintenanceOff(Maintenance):
    slug, title = "maintenance-off", "Maintenance off"
    says = "Every visitor gets the site again, within seconds."
    is_on = False
    danger = False


class ChangeTeam(BulkAct):
    slug, title = "team", "Change team"
    says = (
        "The roles of that team count for these sites from then on, those of their former do not."
    )
    act = Act.OWN
    asks = "team"

    def do(self, site: Site, options: dict[str, Any], item: BulkItem, user: User) -> Outcome:
        team = destinations(user, site).filter(pk=options.get("team") or 0).first()
        if team is None:
            raise Refused("The team is gone, or you may not make sites in it any more.")
        Site.objects.filter(pk=site.pk).update(team=team)
        return Outcome(f"In {team} now.")


ACTS: dict[str, BulkAct] = {
    act.slug: act
    for act in (
        *(Provision(), CheckDrift(), SyncVisits(), Invalidate(), Lock(), Unlock()),
        *(Maintenance(), MaintenanceOff(), ChangeTeam()),
    )
}
