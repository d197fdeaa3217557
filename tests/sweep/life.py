"""One account with one site, from nothing to nothing, in stages."""

from __future__ import annotations

import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from cloudadmin.aws import ClientError, Clients
from sites import provisioning
from sites.provisioning import Done, Failed, Waiting
from sites.provisioning.outcomes import Outcome
from sites.provisioning.resources.base import Resource, listed
from tests.fakes import Killed, MemoryStore
from tests.sites.provisioning.conftest import COUNTER, World, package
from tests.sites.provisioning.inventory import inventory
from tests.sweep.strikes import BY_CHANCE, GARBLED, UNDISTURBED, Sent, Strike, StrikingClients

ROUTER = "function handler(event) { return event.request }"
SECONDS = 60
GIVEN_UP = 10
PAUSE = 0.05
# While these last, visitors have to be served as before.
SERVING = ("site changed", "site smaller", "site whole")


@dataclass
class Stage:
    """One stage of a life, done or given up, and what AWS listed after it."""

    name: str
    sent: Sent
    resumes: int = 0
    outcome: Outcome | None = None
    failures: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    listed: Counter[str] = field(default_factory=Counter)


class _Store(MemoryStore):
    """Tells the clients whose create comes next."""

    clients: StrikingClients

    def intend(self, logical_id: str, resource: Resource) -> int:
        generation = super().intend(logical_id, resource)
        self.clients.at_hand = f"{logical_id} {generation}"
        return generation


@dataclass(frozen=True)
class Place:
    """A cloud to live in, one life at a time: ``witness`` looks and is never struck."""

    clients: StrikingClients
    witness: Clients
    folder: Path


class Life:
    """``stages`` are those that were lived so far."""

    def __init__(self, place: Place, strike: Strike) -> None:
        self.clients = clients = place.clients
        self.witness = witness = place.witness
        self.folder = folder = place.folder
        self.strike = strike
        self.stages: list[Stage] = []
        # Whether it left nothing: only then another one may follow in the same cloud.
        self.is_over = False
        self.uid = uuid.uuid4().hex[:12]
        self.zone = f"zone-{self.uid}.com"
        self.tokens: dict[str, set[str]] = defaultdict(set)
        clients.tokens = self.tokens
        account_id = witness.sts.get_caller_identity()["Account"]
        site = provisioning.SiteSpec(
            self.uid, f"site-{self.uid}", account_id, "us-east-1", (self.zone,)
        )
        self.world = World(
            clients,
            package(folder),
            site,
            router_code=ROUTER,
            account_store=self._store(),
            site_store=self._store(),
        )

    def _store(self) -> _Store:
        store = _Store()
        store.clients = self.clients
        return store

    def live(self) -> Life:
        """From nothing to nothing; ends early when a stage is stuck."""
        zone = self.witness.route53.create_hosted_zone(Name=self.zone, CallerReference=self.uid)
        for name, ask, advance, is_of_site in self._course():
            ask()
            if not self._lived(name, advance, is_of_site):
                return self
        self._tidy(zone["HostedZone"]["Id"])
        self.is_over = not inventory(self.witness, self.uid)
        return self

    def _tidy(self, zone_id: str) -> None:
        """Away with what is the person's own, and with what is kept for them."""
        with suppress(ClientError):  # a zone with a record that was left behind
            self.witness.route53.delete_hosted_zone(Id=zone_id)
        for item in self.witness.rds.describe_db_snapshots()["DBSnapshots"]:
            self.witness.rds.delete_db_snapshot(DBSnapshotIdentifier=item["DBSnapshotIdentifier"])

    def _course(self) -> list[tuple[str, Callable[[], None], Any, bool]]:
        advance, destroy = provisioning.advance, provisioning.destroy
        return [
            ("account up", _as_it_is, advance, False),
            ("site up", _as_it_is, advance, True),
            ("account changed", self._ask_other_counter, advance, False),
            ("site changed", self._ask_more, advance, True),
            ("site smaller", self._ask_less, advance, True),
            ("site whole", self._ask_more, advance, True),
            ("site down", _as_it_is, destroy, True),
            ("account down", _as_it_is, destroy, False),
        ]

    def _ask_other_counter(self) -> None:
        self.world.counter_package = package(self.folder, f"{COUNTER}\n# changed")

    def _ask_more(self) -> None:
        """Whatever can change in place does."""
        self.world.router_code = f"{ROUTER} // changed"
        self.world.site = replace(
            self.world.site,
            name=f"renamed-{self.uid}",
            domains=(self.zone, f"www.{self.zone}"),
            has_counter=True,
            price_class="PriceClass_All",
        )

    def _ask_less(self) -> None:
        self.world.site = replace(self.world.site, domains=(self.zone,), has_counter=False)

    def _lived(self, name: str, verb: Any, is_of_site: bool) -> bool:
        world = self.world
        seed = self.strike.seed * 100 + len(self.stages)
        with self.clients.aimed(replace(self.strike, seed=seed)) as sent:
            stage = Stage(name, sent)
            self.stages.append(stage)
            stack, store = (
                (world.site_stack, world.site_store)
                if is_of_site
                else (world.account_stack, world.account_store)
            )
            self._settle(stage, lambda: verb(stack, world.clients, store, now=world.now))
        if is_of_site or name == "account down":
            stage.listed = inventory(self.witness, self.uid)
        if stage.outcome == Done() and name == "site down":
            stage.problems += [f"a record is left: {each}" for each in world.site_store.rows]
        elif stage.outcome == Done() and name in ("site up", "site whole"):
            self._ask_again(stage)
        return stage.outcome == Done()

    def _settle(self, stage: Stage, step: Callable[[], Outcome]) -> None:
        """Through all waits; what was killed, or said that it failed, is started again."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline and stage.resumes < GIVEN_UP:
            self.world.now += timedelta(minutes=1)
            try:
                stage.outcome = step()
            except Killed:
                stage.resumes += 1
            except Exception as error:
                # The operation tries again whatever it was; only an answer that cannot be read
                # may be left to it.
                if self.strike.mode not in GARBLED:
                    stage.problems.append(f"not told: {error!r}")
                stage.resumes += 1
            if stage.name in SERVING and self.strike.mode not in BY_CHANCE:
                self._look(stage)
            if isinstance(stage.outcome, Done):
                return
            if isinstance(stage.outcome, Failed):
                stage.failures.append(str(stage.outcome.error))
                stage.resumes += 1
            elif isinstance(stage.outcome, Waiting):
                time.sleep(PAUSE)
            stage.outcome = None

    def _look(self, stage: Stage) -> None:
        """Whoever visits meanwhile is served: no alias without its certificate, none lost."""
        for item in listed(self.witness.cloudfront.list_distributions, "DistributionList"):
            aliases = set(item["Aliases"].get("Items", []))
            if lost := {self.zone} - aliases:
                stage.problems.append(f"the distribution lost {lost}")
            arn = item["ViewerCertificate"].get("ACMCertificateArn")
            if not arn:
                stage.problems.append(f"{aliases} without a certificate")
                continue
            held = self.witness.acm.describe_certificate(CertificateArn=arn)["Certificate"]
            if held["Status"] != "ISSUED" or aliases - {*held["SubjectAlternativeNames"]}:
                stage.problems.append(f"{aliases} with a certificate that does not fit")

    def _ask_again(self, stage: Stage) -> None:
        """What has converged is left alone."""
        world = self.world
        with self.clients.aimed(UNDISTURBED) as sent:
            outcome = provisioning.advance(
                world.site_stack, world.clients, world.site_store, now=world.now
            )
        if outcome != Done() or sent.changes:
            stage.problems.append(f"asked again, it was {outcome} and made {sent.changes}")


def _as_it_is() -> None:
    """Nothing else is asked for."""
