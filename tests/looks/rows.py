"""An installation with something of everything, for pages that are looked at."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Model
from django.utils import timezone

from deployments.models import (
    Delivery,
    Deployment,
    DeployToken,
    TrustedRepository,
)
from sites.models import Account, Kind, Operation, Role, Site, VisitDay
from sites.people import invitations
from tests.factories import (
    AccountFactory,
    DeploymentFactory,
    DomainFactory,
    InvalidationFactory,
    ListenerFactory,
    MembershipFactory,
    MessageFactory,
    OperationEventFactory,
    OperationFactory,
    RepositoryFactory,
    ResourceFactory,
    SiteFactory,
    TeamFactory,
    UserFactory,
)

NAMES = ("atelier-nord", "bakery", "city-museum", "docs", "festival", "garden-club", "harbour")
LONG_NAME = "the-longest-name-that-a-site-may-have-40"
# As long as a domain can be: https://www.rfc-editor.org/rfc/rfc1035#section-2.3.4
LONG_DOMAIN = f"{'a' * 63}.{'b' * 63}.{'c' * 63}.{'d' * 53}.example"


@dataclass
class Rows:
    """The row that stands for its model wherever an address needs one, and by the name of the
    address what else it needs."""

    person: User
    of: dict[str, Model] = field(default_factory=dict)
    values: dict[str, dict[str, Any]] = field(default_factory=dict)

    def keep(self, *rows: Model) -> None:
        for row in rows:
            self.of.setdefault(row._meta.label_lower, row)


def furnish() -> Rows:
    """Rows that a person with every right may see; ``person`` is theirs."""
    now = timezone.now()
    rows = Rows(UserFactory(username="ada", is_superuser=True, email="ada@example.com"))
    account = AccountFactory(name="Production", aws_account_id="123456789012")
    rows.keep(rows.person, account)
    sites = [SiteFactory(account=account, name=name, live=True, serving=True) for name in NAMES]
    sites.append(SiteFactory(account=account, name=LONG_NAME, live=True, serving=True))
    rows.keep(DomainFactory(site=sites[0], name="atelier-nord.example.com"))
    DomainFactory(site=sites[-1], name=LONG_DOMAIN)
    rows.keep(*sites)
    for place, site in enumerate(sites):
        deployments(rows, site, now - timedelta(hours=3 * place), rows.person)
        visits(site, 400 // (place + 1), now)
    troubles(account, sites, now)
    access(rows, sites[0], now)
    secret = people(rows, sites[0])
    Site.objects.filter(pk=sites[0].pk).update(visitors_token="t" * 43)
    rows.values = {
        "github-hook": {"uid": sites[0].uid},
        "visitors": {"token": "t" * 43},
        "invitation": {"secret": secret},
        "view_on_site": {"content_type_id": 1, "object_id": 1},
        "account_reset_password_from_key": {"uidb36": "1", "key": "set-password"},
        "mfa_remove_webauthn": {"pk": 1},
        "mfa_edit_webauthn": {"pk": 1},
    }
    operations(rows, account, sites, now)
    return rows


def people(rows: Rows, site: Site) -> str:
    """A team with somebody of each role, and the secret of an invitation to it."""
    team = TeamFactory(name="Studio Nord")
    Site.objects.filter(pk=site.pk).update(team=team)
    names = ("grace", "lin", "noor", "x" * 60)
    members = [
        MembershipFactory(user=UserFactory(username=name), team=team, role=role)
        for name, role in zip(names, Role, strict=True)
    ]
    MembershipFactory(user=UserFactory(username="sam"), site=site, role=Role.DEPLOYER)
    address = f"{'long' * 12}@{'example' * 6}.com"
    invitation, secret = invitations.invite(rows.person, team, address, Role.OWNER)
    rows.keep(team, *members, invitation)
    return secret


def deployments(rows: Rows, site: Site, at: datetime, person: User) -> None:
    said = ("First version", "New opening hours", "Fix the menu on phones", "Autumn photographs")
    for number, words in enumerate(said, 1):
        row = DeploymentFactory(
            site=site,
            number=number,
            description=words,
            author="Ada Lovelace",
            creator=person,
            sha=f"{number:x}" * 40,
            ref="main",
            files=120,
            uploaded=5,
            unchanged=115,
            bytes=48_213,
            timings={"upload": 1.2, "index": 0.4, "settle": 5.0, "verify": 0.8},
            served=True,
            is_published=number == len(said),
            finished_at=at,
        )
        Deployment.objects.filter(pk=row.pk).update(
            created_at=at - timedelta(days=len(said) - number)
        )
    rows.keep(site.deployments.get(number=len(said)))


def visits(site: Site, most: int, now: datetime) -> None:
    rows = []
    for day in range(35):
        count = most - most * ((day * 7) % 10) // 20 - most * day // 80
        of_day: dict[str, Any] = {
            "site": site,
            "day": (now - timedelta(days=day)).date(),
            "pageviews": count,
            "visits": count // 2,
            "visitors": count // 3,
        }
        rows += [VisitDay(**of_day, kind=Kind.ALL), VisitDay(**of_day, kind=Kind.PATH, value="/")]
    VisitDay.objects.bulk_create(rows)


def troubles(account: Account, sites: list[Site], now: datetime) -> None:
    """What a person has to look after."""
    DeploymentFactory(
        site=sites[1],
        number=5,
        state=Deployment.State.FAILURE,
        description="Christmas menu",
        error_message="The edge answered /menu.html with other bytes than were uploaded. The "
        "release before it is served again. Try again in a minute.",
    )
    DeploymentFactory(
        site=sites[2],
        number=5,
        state=Deployment.State.IN_PROGRESS,
        phase="upload",
        objects_total=80,
    )
    ResourceFactory(
        site=sites[3],
        logical_id="cache_policy",
        drift=[
            {
                "logical_id": "bucket",
                "type": "bucket",
                "label": "cloudadmin-docs",
                "path": "PublicAccessBlock.BlockPublicPolicy",
                "recorded": True,
                "actual": False,
            }
        ],
    )
    failed = SiteFactory(account=account, name="lighthouse", state=Site.State.FAILED)
    OperationFactory(
        site=failed,
        status=Operation.Status.FAILURE,
        finished_at=now - timedelta(hours=2),
        error_message="CloudFront: TooManyDistributions. This account has 500 of 500 "
        "distributions. Ask AWS for more, or destroy a site that nobody needs.",
    )


def operations(rows: Rows, account: Account, sites: list[Site], now: datetime) -> None:
    since = (now - timedelta(minutes=12)).isoformat()
    following = (now + timedelta(seconds=40)).isoformat()
    asked = OperationFactory(
        site=SiteFactory(account=account, name="winery", state=Site.State.PROVISIONING),
        creator=rows.person,
        status=Operation.Status.IN_PROGRESS,
        waits=[
            {
                "what": "certificate",
                "why": "the domain winery.example.com is not delegated yet",
                "since": since,
                "next_check": following,
                "last_seen": "ns1.parking.example",
                "todo": "set the name servers at your registrar to ns-1.awsdns-01.com",
            }
        ],
    )
    rows.keep(asked)
    for step in ("bucket: created", "distribution: created", "certificate: requested"):
        OperationEventFactory(operation=asked, logical_id=step.partition(":")[0], message=step)
    OperationFactory(
        site=sites[4],
        status=Operation.Status.IN_PROGRESS,
        waits=[{"what": "distribution", "why": "CloudFront is deploying it", "since": since}],
    )
    OperationFactory(site=sites[5], status=Operation.Status.SUCCESS, finished_at=now)


def access(rows: Rows, site: Site, now: datetime) -> None:
    """Tokens, repositories, listeners and what came of them."""
    repository = RepositoryFactory(site=site)
    listener = ListenerFactory(site=site)
    given: dict[str, Any] = {"site": site, "scopes": ["deploy"]}
    later = now + timedelta(days=30)
    rows.keep(
        repository,
        listener,
        MessageFactory(listener=listener, deployment=site.deployments.first()),
        InvalidationFactory(site=site),
        Delivery.objects.create(repository=repository, event="push", outcome="accepted"),
        TrustedRepository.objects.create(**given, repository="acme/shop"),
        DeployToken.objects.create(
            **given,
            name="CI",
            prefix="ca_abc",
            digest="0" * 64,
            expires_at=later,
        ),
    )
