"""The permission function: who may do what, and sees which rows."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_backends
from django.contrib.auth.models import AnonymousUser, Permission, User
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.http import Http404

from deployments.models import Deployment
from sites.models import Membership, Role, Site, Team
from sites.people import Act, get_for, may, role_of, visible
from tests.factories import (
    DeploymentFactory,
    MembershipFactory,
    SiteFactory,
    TeamFactory,
    UserFactory,
    member,
)

pytestmark = pytest.mark.django_db

OF_A_SITE = (Act.VIEW, Act.DEPLOY, Act.OPERATE, Act.OWN)


@pytest.fixture
def team() -> Team:
    return TeamFactory()


@pytest.fixture
def site(team: Team) -> Site:
    return SiteFactory(team=team)


@pytest.mark.parametrize("is_team", [True, False])
@pytest.mark.parametrize("role", Role)
def test_a_role_may_what_the_ones_before_it_may(site, role, is_team):
    user = member(role, site.team if is_team else site)
    other = SiteFactory(team=TeamFactory())
    assert [may(user, act, site) for act in OF_A_SITE] == [n < role for n in range(4)]
    assert not any(may(user, act, other) for act in OF_A_SITE)
    assert [may(user, act) for act in OF_A_SITE] == [n < role for n in range(4)]
    assert may(user, Act.CREATE) is (is_team and role >= Role.OPERATOR)
    assert not may(user, Act.ADMINISTER)
    assert list(visible(user, Site.objects.all())) == [site]
    assert visible(user, Site.objects.all(), Act.OPERATE).exists() is (role >= Role.OPERATOR)


def test_the_highest_role_wins(site):
    user = member(Role.VIEWER, site.team)
    MembershipFactory(user=user, site=site, role=Role.OWNER)
    second = SiteFactory(team=site.team)
    assert role_of(user, site) is Role.OWNER
    assert role_of(user, second) is Role.VIEWER
    assert role_of(user, site.team) is Role.VIEWER
    assert visible(user, Site.objects.all()).count() == 2


def test_a_superuser_may_all_and_who_is_inactive_nothing(site):
    boss = UserFactory(is_superuser=True)
    assert all(may(boss, act, site) for act in Act)
    assert may(boss, Act.ADMINISTER)
    assert may(boss, Act.CREATE)
    gone = member(Role.OWNER, site)
    gone.is_active = False
    fired = UserFactory(is_superuser=True, is_active=False)
    for nobody in (gone, fired, AnonymousUser()):
        assert not any(may(nobody, act, site) for act in Act)
        assert not any(may(nobody, act) for act in Act)
        assert not visible(nobody, Site.objects.all()).exists()
        assert role_of(nobody, site) is None


def test_rows_are_those_of_visible_sites(site):
    mine, _ = DeploymentFactory(site=site), DeploymentFactory(site=SiteFactory())
    user = member(Role.VIEWER, site.team)
    assert list(visible(user, Deployment.objects.all(), path="site")) == [mine]
    assert not visible(user, Deployment.objects.all(), Act.DEPLOY, path="site").exists()
    assert list(visible(user, Team.objects.all())) == [site.team]


def test_a_page_is_not_there_for_others_and_forbidden_beyond_the_role(site):
    row, user = DeploymentFactory(site=site), member(Role.VIEWER, site)
    rows = Deployment.objects.all()
    assert get_for(user, Act.VIEW, rows, path="site", pk=row.pk) == row
    with pytest.raises(PermissionDenied):
        get_for(user, Act.DEPLOY, rows, path="site", pk=row.pk)
    with pytest.raises(Http404):
        get_for(UserFactory(), Act.VIEW, rows, path="site", pk=row.pk)
    with pytest.raises(Http404):
        get_for(user, Act.VIEW, rows, path="site", pk=0)


def test_all_is_asked_of_one_query(site, django_assert_num_queries):
    user = member(Role.VIEWER, site.team)
    with django_assert_num_queries(1):
        for act in Act:
            may(user, act, site)
            may(user, act)


def test_what_is_ticked_at_a_user_counts_for_nothing(site):
    user = UserFactory()
    user.user_permissions.set(Permission.objects.all())
    for backend in get_backends():
        assert not backend.has_perm(user, "sites.change_site")
        assert not backend.get_all_permissions(user)
    assert not user.has_module_perms("sites")


def test_djangos_questions_are_answered_by_roles(site):
    user, other = member(Role.OPERATOR, site), SiteFactory()
    assert user.has_perm("sites.change_site", site)
    assert user.has_perm("sites.change_site")
    assert not user.has_perm("sites.delete_site", site)
    assert not user.has_perm("sites.change_site", other)
    assert user.has_perm("deployments.view_deployment", DeploymentFactory(site=site))
    assert not user.has_perm("deployments.view_deployment", DeploymentFactory(site=other))
    assert not user.has_perm("auth.view_user")
    assert not user.has_perm("sites.what_nobody_knows")


def test_a_membership_is_of_one_team_or_one_site(site):
    user = UserFactory()
    for where in ({}, {"team": site.team, "site": site}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Membership.objects.create(user=user, role=Role.VIEWER, **where)
    MembershipFactory(user=user, site=site)
    with pytest.raises(IntegrityError), transaction.atomic():
        MembershipFactory(user=user, site=site, role=Role.OWNER)


def test_names_are_taken_whatever_their_case():
    UserFactory(username="Ada")
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.create(username="aDA")
    TeamFactory(name="Shop")
    with pytest.raises(IntegrityError), transaction.atomic():
        TeamFactory(name="sHOP")
