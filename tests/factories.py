"""Rows for tests, as the product would have written them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from django.contrib.auth.models import User
from django.db.models import Model
from django.utils import timezone
from factory.declarations import (
    LazyAttribute,
    LazyFunction,
    Maybe,
    SelfAttribute,
    Sequence,
    SubFactory,
    Trait,
)
from factory.django import DjangoModelFactory, Password
from factory.helpers import post_generation

from deployments.models import (
    Deployment,
    Event,
    Invalidation,
    Launch,
    Listener,
    Message,
    Repository,
)
from sites.models import (
    Account,
    Domain,
    Kind,
    Membership,
    Operation,
    OperationEvent,
    Resource,
    Role,
    Site,
    Team,
    VisitCount,
    VisitDay,
)

Row = TypeVar("Row", bound=Model)


class RowFactory(DjangoModelFactory[Row]):
    if TYPE_CHECKING:
        # Calling a factory makes a row; its metaclass does not tell.
        def __new__(cls, *args: Any, **kwargs: Any) -> Row: ...  # type: ignore[misc]


class UserFactory(RowFactory[User]):
    class Meta:
        model = User
        skip_postgeneration_save = True

    username = Sequence(lambda n: f"user{n}")
    password = Password("secret")
    is_staff = True


class TeamFactory(RowFactory[Team]):
    class Meta:
        model = Team

    name = Sequence(lambda n: f"Team {n}")


class MembershipFactory(RowFactory[Membership]):
    """With neither ``team`` nor ``site``, of a new team."""

    class Meta:
        model = Membership

    user = SubFactory(UserFactory)
    role = Role.VIEWER
    site = None
    team = Maybe("site", None, SubFactory(TeamFactory))


def member(role: Role, about: Site | Team) -> User:
    """A new person who has this role there."""
    where = {"team": about} if isinstance(about, Team) else {"site": about}
    return MembershipFactory(role=role, **where).user


class AccountFactory(RowFactory[Account]):
    class Meta:
        model = Account

    name = Sequence(lambda n: f"Account {n}")
    aws_account_id = Sequence(lambda n: f"{n:012d}")


class SiteFactory(RowFactory[Site]):
    class Meta:
        model = Site
        skip_postgeneration_save = True

    account = SubFactory(AccountFactory)
    name = Sequence(lambda n: f"site-{n}")

    class Params:
        live = Trait(state=Site.State.LIVE)

    @post_generation  # type: ignore[untyped-decorator]
    def serving(site: Site, create: bool, wanted: bool | None, **kwargs: object) -> None:
        """The resources that a deployment needs, for ``serving=True``."""
        if wanted:
            ResourceFactory(
                site=site, logical_id="bucket", physical_id=f"cloudadmin-{site.short_uid}"
            )
            ResourceFactory(
                site=site,
                logical_id="key_value_store",
                physical_id=f"store-{site.pk}",
                attributes={"arn": f"arn:aws:cloudfront::000000000000:key-value-store/{site.pk}"},
            )
            ResourceFactory(
                site=site,
                logical_id="distribution",
                physical_id=f"E{site.short_uid[:12].upper()}",
                aws_status="Deployed",
                attributes={"domain_name": f"d{site.short_uid}.cloudfront.net"},
            )


class DomainFactory(RowFactory[Domain]):
    class Meta:
        model = Domain

    site = SubFactory(SiteFactory)
    name = Sequence(lambda n: f"www{n}.example.com")


class ResourceFactory(RowFactory[Resource]):
    class Meta:
        model = Resource

    site = SubFactory(SiteFactory)
    account = SelfAttribute("site.account")
    logical_id = "bucket"
    type = SelfAttribute("logical_id")
    physical_id = Sequence(lambda n: f"cloudadmin-{n:012x}")
    is_ready = True


class OperationFactory(RowFactory[Operation]):
    class Meta:
        model = Operation

    site = SubFactory(SiteFactory)
    site_name = SelfAttribute("site.name")
    kind = Operation.Kind.PROVISION


class OperationEventFactory(RowFactory[OperationEvent]):
    class Meta:
        model = OperationEvent

    operation = SubFactory(OperationFactory)
    logical_id = "bucket"
    message = "bucket: created"


class DeploymentFactory(RowFactory[Deployment]):
    class Meta:
        model = Deployment

    site = SubFactory(SiteFactory)
    number = Sequence(lambda n: n + 1)
    release_number = LazyAttribute(
        lambda row: None if row.phase == Deployment.Phase.UPLOAD else row.number
    )
    source = "public.zip"
    state = Deployment.State.SUCCESS
    needs_attention = LazyAttribute(lambda row: row.state in Deployment.FAILED)
    phase = Deployment.Phase.DONE

    class Params:
        served = Trait(published_at=LazyFunction(lambda: timezone.now() - timedelta(hours=1)))
        current = Trait(served=True, is_published=True)


class LaunchFactory(RowFactory[Launch]):
    """A draft of the sample site that could be launched; ``running``: its site is being made."""

    class Meta:
        model = Launch

    owner = SubFactory(UserFactory, is_superuser=True)
    account = SubFactory(AccountFactory)
    name = Sequence(lambda n: f"new-{n}")
    source = Launch.Source.SAMPLE
    was_sent = True

    class Params:
        running = Trait(
            state=Launch.State.RUNNING,
            site=SubFactory(
                SiteFactory, name=SelfAttribute("..name"), account=SelfAttribute("..account")
            ),
        )


class InvalidationFactory(RowFactory[Invalidation]):
    class Meta:
        model = Invalidation

    site = SubFactory(SiteFactory)
    paths = LazyFunction(lambda: ["/data/*"])


class RepositoryFactory(RowFactory[Repository]):
    class Meta:
        model = Repository

    site = SubFactory(SiteFactory)
    url = "https://github.com/acme/shop.git"
    full_name = "acme/shop"
    secret = "between us"


class ListenerFactory(RowFactory[Listener]):
    class Meta:
        model = Listener

    site = SubFactory(SiteFactory)
    address = "https://listener.example.com/hook"
    events = LazyFunction(lambda: [str(event) for event in Event])
    secret = "whsec_" + "c2VjcmV0" * 4

    class Params:
        mailbox = Trait(kind=Listener.Kind.EMAIL, address="ops@example.com")


class MessageFactory(RowFactory[Message]):
    class Meta:
        model = Message

    listener = SubFactory(ListenerFactory)
    deployment = SubFactory(DeploymentFactory, site=SelfAttribute("..listener.site"))
    site = SelfAttribute("deployment.site")
    event = Event.SUCCEEDED


class VisitDayFactory(RowFactory[VisitDay]):
    class Meta:
        model = VisitDay

    site = SubFactory(SiteFactory)
    day = LazyFunction(lambda: timezone.now().date())
    kind = Kind.ALL
    value = ""
    pageviews = 3
    visits = 1
    visitors = 1


class VisitCountFactory(RowFactory[VisitCount]):
    class Meta:
        model = VisitCount

    site = SubFactory(SiteFactory)
    hour = LazyFunction(lambda: timezone.now().replace(minute=0, second=0, microsecond=0))
    kind = Kind.ALL
    value = ""
    pageviews = 3
    visits = 1
    visitors = 1
