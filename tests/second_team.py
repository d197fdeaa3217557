"""A team with a row of every kind, whose columns each have a word that occurs nowhere else."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.apps import apps
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import DatabaseError, connection, models, transaction
from django.utils import timezone

from deployments.models import (
    BulkItem,
    BulkRun,
    Delivery,
    Deployment,
    DeploymentEvent,
    DeploySettings,
    DeployToken,
    EdgeIndex,
    IndexBucket,
    Scope,
    SitePicture,
    TrustedRepository,
)
from sites.models import (
    AuditEntry,
    ImportedDay,
    Invitation,
    Kind,
    Operation,
    OperationTry,
    Role,
    Site,
    VisitCursor,
    VisitImport,
)
from tests.factories import (
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
    VisitCountFactory,
    VisitDayFactory,
)
from tests.looks.rows import Rows

WORD = "zxq"
# Sums over all sites for administrators, and what is nobody's: that a notice was sent.
OF_NOBODY = {"sites.overallday", "deployments.notice"}
# PostgreSQL writes it, from all other columns, and refuses to change it.
WRITTEN_ALONE = {"sites.auditentry"}


def second_team(first: Site) -> Rows:
    """With a site on an account of its own, and one beside the first team's on theirs."""
    account = first.account
    now, before = timezone.now(), known()
    team = TeamFactory()
    owner = MembershipFactory(team=team, role=Role.OWNER, user__email="owner@example.com").user
    own = SiteFactory(team=team, live=True, serving=True, visitors_token="u" * 43)
    beside = SiteFactory(team=team, live=True, serving=True, account=account)
    found = Rows(owner)
    for site in (own, beside):
        things(found, site, now)
    listener = ListenerFactory(site=None, team=team)
    found.keep(listener, MessageFactory(listener=listener, deployment=own.deployments.first()))
    # The administrators' own: it hears of the first team's site, whose people do not hear where.
    everywhere = ListenerFactory(site=None, account=account)
    MessageFactory(listener=everywhere, deployment=first.deployments.get(is_published=True))
    VisitCursor.objects.create(account=own.account)
    launched = LaunchFactory(owner=owner, team=team, site=own, account=own.account)
    found.keep(LaunchFactory(owner=owner, team=team, account=own.account))
    invited = {"role": Role.VIEWER, "digest": "1" * 64, "invited_by": owner}
    found.keep(Invitation.objects.create(email="a@example.com", team=team, **invited))
    EmailAddress.objects.create(user=owner, email=owner.email)
    passkey = Authenticator(user=owner, type=Authenticator.Type.WEBAUTHN)
    passkey.data = {"name": f"{WORD}-passkey"}
    passkey.save()
    for names_of, row in (
        (("draft", "discard", "plan"), found.of["deployments.launch"]),
        (("progress", "panel", "act"), launched),
    ):
        found.values |= {f"new-site-{name}": {"pk": row.pk} for name in names_of}
    run = found.of["deployments.bulkrun"]
    acts = ("run", "panel", "again", "stop")
    found.values |= {f"sites_bulk_{name}": {"pk": run.pk} for name in acts}
    mark(before)
    seal()
    for row in {*found.of.values(), owner}:
        row.refresh_from_db()
    found.keep(AuditEntry.objects.filter(site_id=own.pk).latest("pk"))
    return found


def things(found: Rows, site: Site, now: datetime) -> None:
    """Of every kind that a site has."""
    assert site.team
    person = found.person
    found.keep(site, site.team, site.account, person, site.team.memberships.get(), person)
    found.keep(DomainFactory(site=site))
    waits = [{"what": f"{WORD}-what", "why": f"{WORD}-why", "todo": f"{WORD}-todo"}]
    running = OperationFactory(
        site=site, creator=person, waits=waits, status=Operation.Status.IN_PROGRESS
    )
    failed = {"status": Operation.Status.FAILURE, "finished_at": now}
    found.keep(OperationFactory(site=site, creator=person, **failed), running)
    OperationEventFactory(operation=running)
    OperationTry.objects.create(operation=running)
    drift = {
        "logical_id": "bucket",
        "type": "bucket",
        "label": f"{WORD}-drift",
        "path": f"{WORD}-path",
        "recorded": True,
        "actual": f"{WORD}-actual",
    }
    ResourceFactory(
        site=site, logical_id="certificate", drift=[drift], expires_at=now + timedelta(days=3)
    )
    ResourceFactory(
        site=site, logical_id="role", is_ready=False, waiting_since=now - timedelta(days=3)
    )
    state = Deployment.State
    current = DeploymentFactory(site=site, number=4, current=True, creator=person, author="x")
    DeploymentFactory(site=site, number=5, state=state.FAILURE, warnings=[f"{WORD}-warning"])
    DeploymentFactory(site=site, number=6, state=state.QUEUED, phase=Deployment.Phase.QUEUE)
    DeploymentFactory(site=site, number=7, is_previewed=True, label="x", environment="preview")
    DeploymentEvent.objects.create(deployment=current, text="x", phase=Deployment.Phase.DONE)
    DeploySettings.objects.create(site=site, locked_at=now, updated_by=person)
    IndexBucket.objects.create(
        index=EdgeIndex.objects.create(site=site), generation=1, number=0, value="x"
    )
    SitePicture.objects.create(site=site, image=f"{WORD}-image".encode(), taken_at=now)
    found.keep(current, InvalidationFactory(site=site, creator=person, paths=[f"/{WORD}-path"]))
    repository, listener = RepositoryFactory(site=site), ListenerFactory(site=site)
    run = BulkRun.objects.create(act="lock", creator=person, options={"reason": f"{WORD}-reason"})
    BulkItem.objects.create(run=run, site=site, site_name="x", state=BulkItem.State.FAILURE)
    scopes: dict[str, Any] = {"site": site, "scopes": [Scope.DEPLOY], "creator": person}
    made = {"prefix": "x", "expires_at": now + timedelta(days=1)}
    found.keep(
        *(repository, listener, run),
        MessageFactory(listener=listener, deployment=current),
        Delivery.objects.create(repository=repository, outcome="accepted", deployment=current),
        DeployToken.objects.create(**scopes, **made, digest=f"{site.pk}"),
        TrustedRepository.objects.create(**scopes, repository="x"),
    )
    for kind in Kind:
        VisitDayFactory(site=site, kind=kind, value="", pageviews=900, visits=900)
        VisitCountFactory(site=site, kind=kind, value="", pageviews=900, visits=900)
    imported = VisitImport.objects.create(
        site=site, first_day=now, last_day=now, pageviews=9, days_left=0, creator=person
    )
    ImportedDay.objects.create(visit_import=imported, day=now, kind=Kind.ALL, value="x")
    LogEntry.objects.create(
        user=person,
        content_type=ContentType.objects.get_for_model(Site),
        object_id=str(site.pk),
        object_repr="x",
        action_flag=CHANGE,
        change_message="x",
    )


def seal() -> None:
    """Entries of the audit log are numbered at the end of a transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")


Known = dict[type[models.Model], set[Any]]


def known() -> Known:
    """The rows that are there already, of every model of ours."""
    labels = ("sites", "deployments", "auth", "account", "admin")
    found = [
        each
        for each in apps.get_models()
        if each._meta.app_label in labels and each._meta.label_lower not in WRITTEN_ALONE
    ]
    return {each: {*each._default_manager.values_list("pk", flat=True)} for each in found}


def mark(before: Known) -> None:
    """Whatever came after ``before``, in every column of text."""
    for model, pks in before.items():
        every = model._default_manager
        fresh = [pk for pk in every.values_list("pk", flat=True) if pk not in pks]
        label = model._meta.label_lower
        is_kept = label.startswith(("sites.", "deployments.")) and label not in OF_NOBODY
        assert fresh or not is_kept, f"Give the second team a {label} too."
        for place, pk in enumerate(fresh):
            words = {
                field.name: f"{WORD}-{model.__name__}-{field.name}-{place}".lower().replace(
                    "_", "-"
                )
                for field in model._meta.concrete_fields
                if isinstance(field, models.CharField | models.TextField) and not field.choices
            }
            row = every.filter(pk=pk)
            if not words or write(row, words):
                continue
            for name, word in words.items():
                write(row, {name: word})


def write(row: models.QuerySet[Any], words: dict[str, str]) -> bool:
    """False where the database has a rule for one of them: a shorter length, a fixed form."""
    try:
        with transaction.atomic():
            row.update(**words)
    except DatabaseError:
        return False
    return True
