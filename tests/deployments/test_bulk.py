"""The same for many sites: what is said before, how it goes, what happens when it is cut off."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta

import pytest
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone

from deployments.bulk import runs
from deployments.bulk.acts import ACTS, Lock, Maintenance, Outcome
from deployments.models import BulkRun, DeploySettings, Invalidation
from sites.errors import Refused
from sites.models import Membership, Operation, Role, Site, Team
from tests.factories import (
    AccountFactory,
    LaunchFactory,
    OperationFactory,
    SiteFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db
BULK = reverse("admin:sites_bulk")


def hidden(page: str, name: str) -> str:
    found: list[str] = re.findall(rf'name="{name}" value="([^"]*)"', page)
    return found[0]


def ask(client, query: str, **options: str) -> BulkRun:
    """Through the confirm page, as a person does."""
    page = client.get(f"{BULK}?{query}").content.decode()
    sent = {"key": hidden(page, "key"), "shown": hidden(page, "shown"), **options}
    response = client.post(f"{BULK}?{query}", sent)
    assert response.status_code == 302, response.content.decode()
    return BulkRun.objects.get(pk=response["Location"].rstrip("/").rpartition("/")[2])


def pass_by(run: BulkRun) -> float | None:
    """A worker's pass, when its time has come."""
    run.items.update(changed_at=None)
    return runs.advance(run.pk)


def outcomes(run: BulkRun) -> dict[str, tuple[str, str]]:
    return {item.site_name: (item.state, item.said) for item in run.items.all()}


def sites(count: int, **values: object) -> list[Site]:
    account = AccountFactory()
    return [SiteFactory(account=account, live=True, serving=True, **values) for _ in range(count)]


def test_a_selection_is_confirmed_done_and_shown(admin_client):
    live, draft = sites(1)[0], SiteFactory(name="draft")
    query = f"act=lock&pk={live.pk}&pk={draft.pk}&pk=999999999&pk=x"
    page = admin_client.get(f"{BULK}?{query}").content.decode()
    assert 'Lock <span class="muted">1 site<' in page
    assert "It is not live." in page
    assert "draft" in page
    run = ask(admin_client, query, reason="Sale <b>until Monday")
    assert runs.advance(run.pk) is None
    assert outcomes(run) == {
        live.name: ("success", "Locked."),
        "draft": ("inactive", "It is not live."),
    }
    assert DeploySettings.objects.get(site=live).lock_reason == "Sale <b>until Monday"
    shown = admin_client.get(reverse("admin:sites_bulk_run", args=[run.pk])).content.decode()
    assert "2 of 2" in shown
    assert "Sale &lt;b&gt;until" in shown
    assert "every 2s" not in shown
    unlocked = ask(admin_client, f"act=unlock&pk={live.pk}")
    runs.advance(unlocked.pk)
    assert outcomes(unlocked) == {live.name: ("success", "Unlocked.")}


def test_all_that_match_are_meant_and_asking_twice_is_one_run(admin_client):
    found = sites(3)
    SiteFactory(name="other", state="failed")
    page = admin_client.get(f"{BULK}?act=invalidate&all=1&state=live").content.decode()
    assert 'href="/sites/site/?state=live">Cancel' in page
    sent = {"key": hidden(page, "key"), "shown": hidden(page, "shown")}
    for _ in range(2):
        admin_client.post(f"{BULK}?act=invalidate&all=1&state=live", sent)
    run = BulkRun.objects.get()
    assert {item.site_id for item in run.items.all()} == {site.pk for site in found}
    runs.advance(run.pk)
    runs.advance(run.pk)
    assert Invalidation.objects.count() == 3
    SiteFactory(live=True)
    again = admin_client.post(
        f"{BULK}?act=invalidate&all=1&state=live", sent | {"key": str(uuid.uuid4())}
    )
    assert "The selection is another one now" in again.content.decode()
    assert BulkRun.objects.count() == 1


def test_a_role_counts_for_each_site_and_when_the_turn_comes(client):
    user, team = UserFactory(), Team.objects.create(name="Ours")
    mine, seen, foreign = sites(3)
    Site.objects.filter(pk=mine.pk).update(team=team)
    Membership.objects.create(user=user, team=team, role=Role.DEPLOYER)
    Membership.objects.create(user=user, site=seen, role=Role.VIEWER)
    client.force_login(user)
    query = f"act=invalidate&pk={mine.pk}&pk={seen.pk}&pk={foreign.pk}"
    page = client.get(f"{BULK}?{query}").content.decode()
    assert foreign.name not in page
    assert "Your role there does not let you deploy." in page
    assert client.get(f"{BULK}?act=provision&pk={mine.pk}").status_code == 403
    run = ask(client, query)
    Membership.objects.filter(team=team).delete()
    runs.advance(run.pk)
    assert {state for state, _ in outcomes(run).values()} == {"inactive"}
    assert not Invalidation.objects.exists()
    assert (
        "everybody sees their own" in client.get(reverse("admin:sites_bulk_runs")).content.decode()
    )
    other = UserFactory(is_superuser=False)
    Membership.objects.create(user=other, site=seen, role=Role.OWNER)
    client.force_login(other)
    for name in ("sites_bulk_run", "sites_bulk_panel"):
        assert client.get(reverse(f"admin:{name}", args=[run.pk])).status_code == 404
    for name in ("sites_bulk_again", "sites_bulk_stop"):
        assert client.post(reverse(f"admin:{name}", args=[run.pk])).status_code == 404
        assert client.get(reverse(f"admin:{name}", args=[run.pk])).status_code == 405


def test_of_sites_that_are_others_by_now_a_run_tells_nothing(client):
    mine, gone = sites(2, team=Team.objects.create(name="Shops"))
    user = UserFactory()
    Membership.objects.create(user=user, team=mine.team, role=Role.DEPLOYER)
    client.force_login(user)
    run = ask(client, f"act=lock&pk={mine.pk}&pk={gone.pk}", reason="Sale")
    Site.objects.filter(pk=gone.pk).update(team=Team.objects.create(name="Others"))

    shown = client.get(reverse("admin:sites_bulk_run", args=[run.pk])).content.decode()
    assert mine.name in shown
    assert gone.name not in shown


def test_provisioning_goes_a_few_at_a_time_and_waits_for_each(admin_client, admin_user):
    found = sites(6)
    run = runs.start(ACTS["provision"], found, {}, admin_user, uuid.uuid4())
    assert pass_by(run)
    assert Operation.objects.count() == 4
    assert pass_by(run)
    assert Operation.objects.count() == 4
    first, second, third, fourth = Operation.objects.order_by("pk")
    Operation.objects.filter(pk=first.pk).update(status="success")
    Operation.objects.filter(pk=second.pk).update(status="failure", error_message="No room.")
    Operation.objects.filter(pk=third.pk).update(status="inactive")
    fourth.delete()
    found[4].resources.all().delete()
    found[4].delete()
    assert pass_by(run)
    said = list(outcomes(run).values())
    assert said[:5] == [
        ("success", "Provisioned."),
        ("failure", "No room."),
        ("inactive", "A newer operation took its place."),
        ("inactive", "Its operation is gone."),
        ("inactive", "It is gone: it was destroyed meanwhile."),
    ]
    Operation.objects.filter(~Q(status="failure")).update(status="success")
    assert pass_by(run) is None
    run.refresh_from_db()
    assert (run.state, bool(run.finished_at)) == ("success", True)
    admin_client.post(reverse("admin:sites_bulk_again", args=[run.pk]))
    run.refresh_from_db()
    assert (run.state, run.finished_at) == ("queued", None)
    assert pass_by(run)
    assert outcomes(run)[found[1].name] == ("in_progress", "Is being provisioned.")


def test_a_site_that_is_made_step_by_step_stays_so(admin_client):
    account = AccountFactory()
    asked = SiteFactory(account=account, name="asked")
    OperationFactory(site=asked, by_hand=True)
    # Of “stuck” the last step failed: no operation is under way. “made” is served.
    for name in ("stuck", "made"):
        LaunchFactory(running=True, account=account, name=name, by_hand=True)
    made = Site.objects.get(name="made")
    Site.objects.filter(pk=made.pk).update(state=Site.State.LIVE)
    query = "act=provision&all=1"
    page = admin_client.get(f"{BULK}?{query}").content.decode()
    assert "It is being made step by step" in page
    assert "asked, stuck" in page
    run = ask(admin_client, query)
    # Begun by hand between the question and its turn.
    OperationFactory(site=made, by_hand=True)
    runs.advance(run.pk)
    assert {state for state, _ in outcomes(run).values()} == {"inactive"}
    assert not Operation.objects.filter(by_hand=False).exists()


def test_a_killed_worker_loses_and_doubles_nothing(admin_user, monkeypatch):
    class Killed(BaseException):
        pass

    found = sites(3)
    run = runs.start(ACTS["invalidate"], found, {}, admin_user, uuid.uuid4())
    real, calls = runs._end, []

    def die(*args: object) -> None:
        real(*args)  # type: ignore[arg-type]
        calls.append(args)
        if len(calls) == 2:
            raise Killed

    monkeypatch.setattr(runs, "_end", die)
    with pytest.raises(Killed):
        runs.advance(run.pk)
    assert Invalidation.objects.count() == 1
    assert runs.advance(run.pk) is None  # held by the dead one, until its lease is over
    assert runs.due() == []
    BulkRun.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert runs.due() == [run.pk]
    runs.advance(run.pk)
    assert Invalidation.objects.count() == 3
    assert {state for state, _ in outcomes(run).values()} == {"success"}


def test_what_is_busy_waits_for_another_turn_and_what_fails_does_not(admin_user, monkeypatch):
    busy, broken, refused, fine = sites(4)
    tries: list[str] = []

    def do(self: Maintenance, site: Site, *args: object) -> object:
        tries.append(site.name)
        if site == busy and tries.count(busy.name) < 3:
            raise Refused("It is being worked on.", try_again=True)
        if site == broken:
            raise ZeroDivisionError
        if site == refused:
            raise Refused("It has no room.")
        return Outcome("Done.")

    monkeypatch.setattr(Maintenance, "do", do)
    run = runs.start(
        ACTS["maintenance"], [busy, broken, refused, fine], {}, admin_user, uuid.uuid4()
    )
    assert pass_by(run)
    assert outcomes(run)[busy.name] == ("queued", "It is being worked on.")
    assert pass_by(run)
    assert pass_by(run) is None
    assert outcomes(run) == {
        busy.name: ("success", "Done."),
        broken.name: (
            "failure",
            "cloudadmin itself failed here; the worker's log has the details.",
        ),
        refused.name: ("failure", "It has no room."),
        fine.name: ("success", "Done."),
    }
    assert tries.count(fine.name) == 1


def test_no_more_than_two_runs_are_at_work_and_one_can_be_stopped(admin_client, admin_user):
    lots = sites(2)
    first, second, third = (
        runs.start(Lock(), lots, {"reason": "Sale"}, admin_user, uuid.uuid4()) for _ in range(3)
    )
    for run in (first, second):
        BulkRun.objects.filter(pk=run.pk).update(lease_until=timezone.now() + timedelta(hours=1))
    assert runs.advance(third.pk) == runs.PATIENCE
    assert not DeploySettings.objects.exists()
    admin_client.post(reverse("admin:sites_bulk_stop", args=[third.pk]))
    BulkRun.objects.update(lease_until=None)
    assert runs.advance(third.pk) is None
    assert {said for _, said in outcomes(third).values()} == {"Stopped before its turn."}
    assert "Lock" in admin_client.get(reverse("admin:sites_bulk_runs")).content.decode()


def test_the_pages_take_the_same_queries_for_3_and_for_30_sites(
    admin_client, admin_user, django_assert_max_num_queries, django_assert_num_queries
):
    def page(found: list[Site]) -> list[str]:
        run = runs.start(ACTS["provision"], found, {}, admin_user, uuid.uuid4())
        return [
            f"{BULK}?act=unlock&all=1",
            reverse("admin:sites_bulk_run", args=[run.pk]),
            reverse("admin:sites_bulk_runs"),
        ]

    counted = []
    for url in page(sites(3)):
        with django_assert_max_num_queries(9) as few:
            admin_client.get(url)
        counted.append(len(few))
    for url, count in zip(page(sites(30)), counted, strict=True):
        with django_assert_num_queries(count):
            admin_client.get(url)


def test_sites_get_another_team_from_who_owns_them_and_may_make_sites_there():
    owner, team = UserFactory(), Team.objects.create(name="New")
    site = sites(1)[0]
    Membership.objects.create(user=owner, site=site, role=Role.OWNER)
    there = Membership.objects.create(user=owner, team=team, role=Role.DEPLOYER)
    gone = "The team is gone, or you may not make sites in it any more."
    for role, outcome in (
        (Role.DEPLOYER, ("failure", gone)),
        (Role.OPERATOR, ("success", "In New now.")),
    ):
        there.role = role
        there.save()
        run = runs.start(ACTS["team"], [site], {"team": team.pk}, owner, uuid.uuid4())
        runs.advance(run.pk)
        assert outcomes(run) == {site.name: outcome}
    site.refresh_from_db()
    assert site.team == team
