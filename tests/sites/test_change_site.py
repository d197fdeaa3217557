"""The command that changes a site: all of it or nothing, and never by another plan than shown."""

from __future__ import annotations

from collections.abc import Callable
from unittest import mock

import pytest
from django.core.management import CommandError, call_command

from cloudadmin.aws import Clients
from sites import drift, drift_checks, operations, provisioning, tasks
from sites.management import patience
from sites.models import Account, Domain, Operation, Site
from sites.provisioning.plan import Update
from sites.signals import site_provisioned
from tests.factories import DomainFactory, OperationFactory, ResourceFactory, SiteFactory
from tests.sites.cloud import live_site, run

pytestmark = pytest.mark.django_db

APEX, WWW = "example.com", "www.example.com"
NO_CHANGE = provisioning.Plan()
CHANGE = provisioning.Plan((Update("distribution", "distribution", "cloudadmin-1"),))

Plans = Callable[[provisioning.Plan], None]


@pytest.fixture
def site() -> Site:
    return SiteFactory(live=True, name="blog")


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> Plans:
    def answer(plan: provisioning.Plan) -> None:
        planned = mock.create_autospec(operations.plan, return_value=plan)
        monkeypatch.setattr(operations, "plan", planned)

    return answer


@pytest.fixture(autouse=True)
def delay(monkeypatch: pytest.MonkeyPatch) -> mock.Mock:
    delay: mock.Mock = mock.create_autospec(tasks.run_operation.delay)
    monkeypatch.setattr(tasks.run_operation, "delay", delay)
    return delay


@pytest.fixture(autouse=True)
def heads(monkeypatch: pytest.MonkeyPatch) -> mock.Mock:
    """Told when hosts may need another head."""
    send: mock.Mock = mock.create_autospec(site_provisioned.send)
    monkeypatch.setattr(site_provisioned, "send", send)
    return send


def test_the_plan_that_is_shown_is_the_one_that_is_applied(site, plans, delay, heads, capsys):
    plans(CHANGE)
    call_command("change_site", "blog", "--headers", "strict", "--price-class", "PriceClass_All")
    site.refresh_from_db()
    operation = Operation.objects.get()
    assert (site.headers, site.price_class) == ("strict", "PriceClass_All")
    assert operation.plan_checksum == CHANGE.checksum
    assert "~ distribution" in capsys.readouterr().out
    delay.assert_called_once_with(operation.pk)
    heads.assert_called_once()


def test_a_worker_that_is_busy_with_the_site_is_waited_for(site, plans, monkeypatch, capsys):
    plans(CHANGE)
    busy = OperationFactory(site=site, kind=Operation.Kind.PROVISION)
    busy.claim()
    monkeypatch.setattr("time.sleep", lambda seconds: busy.release())
    call_command("change_site", "blog", "--headers", "strict")
    busy.refresh_from_db()
    assert busy.status == Operation.Status.INACTIVE
    assert capsys.readouterr().out.count("~ distribution") == 1


def test_a_change_of_heads_alone_needs_no_operation(site, plans, delay, heads, capsys):
    plans(NO_CHANGE)
    call_command("change_site", "blog", "--trailing-slash", "never", "--spa")
    site.refresh_from_db()
    assert (site.trailing_slash, site.is_spa) == ("never", True)
    assert "live in seconds" in capsys.readouterr().out
    assert not Operation.objects.exists()
    delay.assert_not_called()
    heads.assert_called_once()


@pytest.mark.parametrize(
    ("option", "has_counter", "said"),
    [
        ("--inject", True, "The next deploy puts the counter's snippet into the pages"),
        ("--inject", False, "has no counter"),
        ("--no-inject", True, "The next deploy leaves the pages as they are"),
    ],
)
def test_the_snippet_comes_with_the_next_deploy(site, delay, capsys, option, has_counter, said):
    site.injects_snippet, site.has_counter = option == "--no-inject", has_counter
    site.save()
    before = site.injects_snippet
    for options, after in ((["--plan"], before), ([], not before)):
        call_command("change_site", "blog", option, *options)
        assert said in capsys.readouterr().out
        site.refresh_from_db()
        assert site.injects_snippet == after
    assert not Operation.objects.exists()
    delay.assert_not_called()


def test_a_plan_changes_nothing(site, plans, delay, heads, capsys):
    plans(CHANGE)
    call_command("change_site", "blog", "--plan", "--no-counter", "--add-domain", APEX)
    site.refresh_from_db()
    assert site.has_counter
    assert not site.domains.exists()
    assert not Operation.objects.exists()
    assert "~ distribution" in capsys.readouterr().out
    delay.assert_not_called()
    heads.assert_not_called()


def test_a_draft_is_only_written_down(plans, delay):
    site = SiteFactory(name="blog")
    call_command("change_site", "blog", "--add-domain", "Example.COM.")
    assert [domain.name for domain in site.domains.all()] == [APEX]
    delay.assert_not_called()


def test_nothing_to_change_is_said(site, delay, capsys):
    call_command("change_site", "blog", "--counter", "--headers", "standard")
    assert "like that already" in capsys.readouterr().out
    delay.assert_not_called()


def test_domains_come_go_and_redirect_at_once(site, plans):
    plans(CHANGE)
    DomainFactory(site=site, name="old.example.com")
    call_command(
        *("change_site", "blog", "--remove-domain", "old.example.com"),
        *("--add-domain", APEX, "--add-domain", WWW, "--redirect", WWW),
    )
    found = {domain.name: domain.redirects for domain in site.domains.all()}
    assert found == {APEX: False, WWW: True}


def test_who_made_the_record_of_a_domain_takes_it_away(site, plans, capsys):
    plans(CHANGE)
    DomainFactory(site=site, name=APEX)
    DomainFactory(site=site, name=WWW)
    ResourceFactory(
        site=site,
        logical_id=f"alias_record.A.{APEX}",
        type="alias_record",
        inputs={"domain_name": APEX},
    )
    call_command("change_site", "blog", "--remove-domain", APEX, "--remove-domain", WWW)
    said = capsys.readouterr().out
    assert f"record of {WWW} is not in Route 53" in said
    assert f"record of {APEX} " not in said


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--remove-domain", "nobody.example.com"], "is no domain of blog. It has: example.com"),
        (["--redirect", APEX], "none be there to redirect to"),
        (["--redirect", "nobody.example.com"], "is no domain of blog"),
        (["--add-domain", "http://x"], "A domain looks like"),
        (["--add-domain", APEX], "already exists"),
        (["--add-domain", "taken.example.com"], "already exists"),
        (["--headers", "strict", "--add-domain", "x.cloudfront.net"], "belongs to AWS"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_changed(site, delay, options, reason):
    DomainFactory(site=site, name=APEX)
    DomainFactory(name="taken.example.com")
    with pytest.raises(CommandError, match=reason):
        call_command("change_site", "blog", *options)
    site.refresh_from_db()
    assert site.headers == "standard"
    assert Domain.objects.count() == 2
    delay.assert_not_called()


def test_a_site_that_is_worked_on_for_long_is_left_as_it_is(site, plans, delay, monkeypatch):
    monkeypatch.setattr(patience, "PATIENCE_SECONDS", 0.0)
    plans(CHANGE)
    OperationFactory(site=site).claim()
    with pytest.raises(CommandError, match="worked on right now") as refusal:
        call_command("change_site", "blog", "--headers", "none")
    assert refusal.value.returncode == 75
    site.refresh_from_db()
    assert site.headers == "standard"
    delay.assert_not_called()


@pytest.mark.parametrize("path", ["Comment", ""])
def test_what_else_changed_on_aws_is_not_put_right_unasked(site, plans, delay, path):
    found = Update("distribution", "distribution", "its name", drifted=(path,))
    plans(provisioning.Plan((found,)))
    with pytest.raises(CommandError, match="Something else changed on AWS") as refusal:
        call_command("change_site", "blog", "--headers", "none")
    assert "check_drift blog" in str(refusal.value)
    site.refresh_from_db()
    assert site.headers == "standard"
    delay.assert_not_called()


def test_known_drift_stays_as_it_is_when_something_else_is_changed(account: Account, aws: Clients):
    site = live_site(account, name="shop")
    id_ = site.resources.get(logical_id="distribution").physical_id
    now = aws.cloudfront.get_distribution_config(Id=id_)
    config = now["DistributionConfig"] | {"HttpVersion": "http2"}
    aws.cloudfront.update_distribution(Id=id_, IfMatch=now["ETag"], DistributionConfig=config)
    change = ("change_site", "shop", "--price-class", "PriceClass_All")
    with pytest.raises(CommandError, match="Something else changed on AWS"):
        call_command(*change)
    drift_checks.check(site)
    call_command(*change)
    operation = site.operations.first()
    assert operation is not None
    assert run(operation).status == Operation.Status.SUCCESS
    config = aws.cloudfront.get_distribution_config(Id=id_)["DistributionConfig"]
    assert (config["PriceClass"], config["HttpVersion"]) == ("PriceClass_All", "http2")
    assert [found.key for found in drift.of_site(site)] == [("distribution", "HttpVersion")]


def test_a_site_that_is_destroyed_is_not_changed(delay):
    SiteFactory(name="blog", state=Site.State.DESTROYING)
    with pytest.raises(CommandError, match="being destroyed"):
        call_command("change_site", "blog", "--spa")


def test_a_site_can_be_created_with_the_same_settings(site):
    call_command(
        *("create_site", "shop", "--account", site.account.name, "--domain", APEX),
        *("--redirect", WWW, "--headers", "strict", "--trailing-slash", "always", "--no-counter"),
    )
    shop = Site.objects.get(name="shop")
    assert (shop.headers, shop.trailing_slash, shop.has_counter) == ("strict", "always", False)
    assert {domain.name: domain.redirects for domain in shop.domains.all()} == {
        APEX: False,
        WWW: True,
    }
