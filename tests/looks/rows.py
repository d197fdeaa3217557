"""An installation with something of everything, for pages that are looked at."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Model
from django.utils import timezone

from deployments.models import (
    BulkItem,
    BulkRun,
    Delivery,
    Deployment,
    DeployToken,
    Launch,
    Repository,
    SitePicture,
    TrustedRepository,
)
from sites.models import Account, AuditEntry, Operation, OperationEvent, Role, Site
from sites.people import invitations
from sites.provisioning import Plan
from sites.provisioning.plan import Create
from tests.factories import (
    AccountFactory,
    DeploymentFactory,
    DomainFactory,
    InvalidationFactory,
    LaunchFactory,
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
from tests.looks.history import deployments, visits
from tests.looks.passkey import credential

NAMES = ("atelier-nord", "bakery", "city-museum", "docs", "festival", "garden-club", "harbour")
PICTURE = Path(__file__).parent / "picture.webp"
LONG_NAME = "the-longest-name-that-a-site-may-have-40"
# As long as a domain can be: https://www.rfc-editor.org/rfc/rfc1035#section-2.3.4
LONG_DOMAIN = f"{'a' * 63}.{'b' * 63}.{'c' * 63}.{'d' * 53}.example"

CALLS = (
    *("s3:CreateBucket", "s3:PutBucketPolicy", "cloudfront:CreateKeyValueStore"),
    *("cloudfront:CreateFunction", "cloudfront:CreateDistribution", "acm:RequestCertificate"),
)
# What the account's stack has besides.
SHARED = (Create("db_instance", "db_instance", "cloudadmin", usual_wait=400),)


def made_for(name: str) -> tuple[Create, ...]:
    """As the plan of a site with a domain says it; CALLS are those that make each."""
    return (
        Create("bucket", "bucket", f"cloudadmin-{name}"),
        Create("bucket_policy", "bucket_policy", ""),
        Create("key_value_store", "key_value_store", ""),
        Create("router", "function", ""),
        Create("distribution", "distribution", name, usual_wait=240),
        Create("certificate", "certificate", f"{name}.example.com", usual_wait=600),
    )


@dataclass
class Rows:
    """The row that stands for its model wherever an address needs one, and by the name of the
    address what else it needs: parameters, and what follows its question mark."""

    person: User
    of: dict[str, Model] = field(default_factory=dict)
    values: dict[str, dict[str, Any]] = field(default_factory=dict)
    queries: dict[str, str] = field(default_factory=dict)

    def keep(self, *rows: Model) -> None:
        for row in rows:
            self.of.setdefault(row._meta.label_lower, row)


def furnish() -> Rows:
    """Rows that a person with every right may see; ``person`` is theirs."""
    now = timezone.now()
    rows = Rows(UserFactory(username="webmaster", is_superuser=True, email="webmaster@example.com"))
    account = AccountFactory(name="Production", aws_account_id="123456789012")
    rows.keep(rows.person, account)
    sites = [SiteFactory(account=account, name=name, live=True, serving=True) for name in NAMES]
    sites.append(SiteFactory(account=account, name=LONG_NAME, live=True, serving=True))
    rows.keep(DomainFactory(site=sites[0], name="atelier-nord.example.com"))
    DomainFactory(site=sites[-1], name=LONG_DOMAIN)
    for site in sites:
        inputs = {"name": f"cloudadmin-{site.short_uid}", "region": "eu-central-1", "tags": {}}
        site.resources.filter(type="bucket").update(inputs=inputs)
    rows.keep(*sites)
    for place, site in enumerate(sites):
        rows.keep(deployments(site, now - timedelta(hours=3 * place), rows.person))
        visits(site, 900 // (place + 1), now)
    troubles(account, sites, now)
    access(rows, sites[0], now)
    secret = people(rows, sites[0])
    Site.objects.filter(pk=sites[0].pk).update(visitors_token="t" * 43)
    rows.values = {
        "github-hook": {"uid": Repository.objects.get().uid},
        "visitors": {"token": "t" * 43},
        "invitation": {"secret": secret},
        "view_on_site": {"content_type_id": 1, "object_id": 1},
        "account_reset_password_from_key": {"uidb36": "1", "key": "set-password"},
    }
    operations(rows, account, sites, now)
    own(rows, account, sites)
    of_the_first(rows, sites[0])
    with connection.cursor() as cursor:  # entries are numbered at the end of a transaction
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
    rows.keep(AuditEntry.objects.filter(site_id=sites[0].pk).earliest("pk"))
    return rows


def people(rows: Rows, site: Site) -> str:
    """A team with somebody of each role, and the secret of an invitation to it."""
    team = TeamFactory(name="Studio Nord")
    site.team = team
    site.save()
    names = ("viewer", "deployer", "operator", "x" * 60)
    members = [
        MembershipFactory(user=_named(name), team=team, role=role)
        for name, role in zip(names, Role, strict=True)
    ]
    MembershipFactory(user=_named("guest-deployer"), site=site, role=Role.DEPLOYER)
    address = f"{'long' * 12}@{'example' * 6}.com"
    invitation, secret = invitations.invite(rows.person, team, address, Role.OWNER)
    rows.keep(team, *members, invitation)
    return secret


def _named(name: str) -> User:
    return UserFactory(username=name, email=f"{name}@example.com")


def own(rows: Rows, account: Account, sites: list[Site]) -> None:
    """What is one person's alone: sites on their way, runs over many sites, a passkey."""
    draft = LaunchFactory(owner=rows.person, account=account, name="quarry")
    site = SiteFactory(account=account, name="quay", state=Site.State.PROVISIONING)
    running = LaunchFactory(
        owner=rows.person, account=account, name=site.name, state=Launch.State.RUNNING, site=site
    )
    OperationFactory(site=site, creator=rows.person, status=Operation.Status.IN_PROGRESS)
    ResourceFactory(site=site)
    run = BulkRun.objects.create(act="lock", creator=rows.person, options={"reason": "Sale"})
    states = (*BulkItem.State, BulkItem.State.SUCCESS, BulkItem.State.SUCCESS)
    for state, each in zip(states, sites, strict=False):
        said = "It is being destroyed." if state == BulkItem.State.FAILURE else ""
        BulkItem.objects.create(run=run, site=each, site_name=each.name, state=state, said=said)
    passkey = Authenticator.objects.create(
        user=rows.person,
        type=Authenticator.Type.WEBAUTHN,
        data={"name": "Laptop", "credential": credential()},
    )
    TOTP.activate(rows.person, generate_totp_secret())
    RecoveryCodes.activate(rows.person)
    rows.keep(draft, run, passkey)
    of_draft, of_running, of_run = ({"pk": each.pk} for each in (draft, running, run))
    rows.values |= {f"new-site-{name}": of_draft for name in ("draft", "discard", "plan")}
    rows.values |= {f"new-site-{name}": of_running for name in ("progress", "panel", "act")}
    rows.values |= {f"sites_bulk_{name}": of_run for name in ("run", "panel", "again", "stop")}
    rows.values |= {f"mfa_{name}_webauthn": {"pk": passkey.pk} for name in ("edit", "remove")}
    rows.queries["sites_bulk"] = f"act=lock&pk={sites[0].pk}&pk={sites[1].pk}"


def of_the_first(rows: Rows, site: Site) -> None:
    """What only some sites have: a picture, a preview, and a deployment for each button."""
    image = PICTURE.read_bytes()
    SitePicture.objects.create(
        site=site, image=image, digest=hashlib.sha256(image).hexdigest(), taken_at=timezone.now()
    )
    state = Deployment.State
    DeploymentFactory(site=site, number=5, state=state.INACTIVE, description="Winter hours")
    DeploymentFactory(
        site=site, number=6, state=state.QUEUED, phase=Deployment.Phase.QUEUE, description="Snow"
    )
    DeploymentFactory(
        site=site,
        number=7,
        environment=Deployment.Environment.PREVIEW,
        is_previewed=True,
        label="summer",
        ref="summer",
        description="Summer colours",
    )
    rows.queries["sites_site_close-preview"] = "label=summer"
    for act in ("adopt", "delete", "forget"):
        rows.queries[f"sites_account_orphans_{act}"] = f"thing=bucket:cloudadmin-{site.short_uid}"
    for name, number in (("retry", 5), ("cancel", 6), ("publish", 2), ("rollback", 3)):
        rows.queries[f"sites_site_{name}"] = f"to={number}"
    draft = SiteFactory(account=site.account, name="attic", team=site.team)
    rows.values["sites_site_delete"] = {"object_id": draft.pk}


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
    expiring(sites[0], "atelier-nord.example.com", now + timedelta(days=12.5))
    expiring(sites[-1], LONG_DOMAIN, now + timedelta(days=28.5))
    failed = SiteFactory(account=account, name="lighthouse", state=Site.State.FAILED)
    OperationFactory(
        site=failed,
        status=Operation.Status.FAILURE,
        finished_at=now - timedelta(hours=2),
        error_message="CloudFront: TooManyDistributions. This account has 500 of 500 "
        "distributions. Ask AWS for more, or destroy a site that nobody needs.",
    )


def expiring(site: Site, domain: str, at: datetime) -> None:
    """A certificate that AWS cannot renew, for its record is gone."""
    site.resources.filter(type="distribution").update(
        attributes={"domain_name": f"d{site.short_uid}.cloudfront.net", "aliases": [domain]}
    )
    proof = {"name": f"_{'3f' * 16}.{domain}.", "value": f"_{'9c' * 16}.acm-validations.aws."}
    ResourceFactory(
        site=site,
        logical_id="certificate",
        aws_status="ISSUED",
        physical_id=f"arn:aws:acm:us-east-1:123456789012:certificate/{site.uid}",
        inputs={"domains": [domain]},
        attributes={f"validation_{name}:{domain}": value for name, value in proof.items()},
        expires_at=at,
        renewal={"status": "PENDING_VALIDATION", "unproven": [domain]},
        drift_checked_at=at - timedelta(days=13),
    )
    ResourceFactory(
        site=site,
        logical_id="validation_record",
        physical_id=f"Z1/_{site.short_uid}/CNAME",
        inputs={"certified_domain": domain, **proof},
        drift=[{"logical_id": "v", "type": "validation_record", "label": domain, "path": ""}],
    )


def operations(rows: Rows, account: Account, sites: list[Site], now: datetime) -> None:
    since = (now - timedelta(minutes=12)).isoformat()
    following = (now + timedelta(seconds=40)).isoformat()
    asked = OperationFactory(
        site=SiteFactory(
            account=account, name="winery", state=Site.State.PROVISIONING, team=sites[0].team
        ),
        creator=rows.person,
        status=Operation.Status.IN_PROGRESS,
        plan=Plan(made_for("winery")).as_json(),
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
    for seconds, (change, call) in enumerate(zip(made_for("winery"), CALLS, strict=True), 2):
        event = OperationEventFactory(
            operation=asked,
            logical_id=change.logical_id,
            message=f"{change.logical_id}: {'requested' if 'Request' in call else 'created'}",
            calls=[{"call": call, "status": 200, "request_id": f"8f2c{seconds:04}-5d1a-4c07"}],
        )
        at = asked.created_at + timedelta(seconds=seconds)
        OperationEvent.objects.filter(pk=event.pk).update(created_at=at)
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
