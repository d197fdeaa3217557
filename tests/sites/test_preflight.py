"""What a person sees: findings before, causes while waiting, and what goes wrong long after; on the
local cloud, from the rows."""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.urls import reverse
from django.utils import timezone

from deployments.models import Message
from deployments.notifications import tell_notices
from sites import drift, drift_checks, operations, tasks
from sites.certificates import Lifetime
from sites.models import Account, Domain, Operation, OperationEvent, Resource, Site
from sites.provisioning import Wait, Waiting
from sites.provisioning.resources.base import State
from sites.provisioning.resources.log_group import LogGroup
from sites.store import RowStore
from tests.factories import ListenerFactory
from tests.localcloud import http
from tests.localcloud.conftest import LocalCloud
from tests.sites.cloud import remove, run

pytestmark = pytest.mark.django_db

SERVING = {"bucket", "bucket_policy", "function", "key_value_store", "distribution"}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    cloud = LocalCloud(tmp_path_factory.mktemp("cloud"))
    cloud.start()
    yield cloud
    cloud.stop()


@pytest.fixture
def zone(cloud: LocalCloud) -> str:
    name = f"{uuid.uuid4().hex[:12]}.example"
    cloud.clients.route53.create_hosted_zone(Name=name, CallerReference=name)
    return name


@pytest.fixture
def site(cloud: LocalCloud, zone: str, shared_clients, settings, monkeypatch) -> Site:
    settings.AWS_ENDPOINT_URL = cloud.aws_endpoint
    settings.CLOUDADMIN_DNS_URL = f"{cloud.aws_endpoint}/_localcloud/dns-query"
    settings.CLOUDADMIN_AWS_PACE = 0.0
    monkeypatch.setattr(tasks.run_operation, "delay", operations.run)
    account = Account.objects.create(name="local", aws_account_id="000000000000")
    site = Site.objects.create(account=account, name="shop", has_counter=False)
    for name in (zone, f"www.{zone}"):
        Domain.objects.create(site=site, name=name)
    return site


def delegate(cloud: LocalCloud, domain: str, *servers: str, **records: str) -> None:
    """To somebody else, who answers with these records of the domain."""
    lines = [{"name": domain, "type": kind, "value": value} for kind, value in records.items()]
    document = {"domain": domain, "name_servers": [*servers], "records": lines}
    http.post(f"{cloud.aws_endpoint}/_localcloud/registrar", json=document).raise_for_status()


def undelegate(cloud: LocalCloud, domain: str) -> None:
    url = f"{cloud.aws_endpoint}/_localcloud/registrar"
    http.delete(url, params={"domain": domain}).raise_for_status()


def provision(*options: str) -> str:
    """What the command prints."""
    printed = io.StringIO()
    call_command("provision_site", "shop", *options, stdout=printed)
    return printed.getvalue()


def settled(site: Site) -> Operation:
    """The last operation, after as many passes as change something."""
    operation = Operation.objects.filter(site=site).first()
    assert operation
    seen = None
    while operation.status in Operation.ACTIVE:
        state = (operation.waits and [w["what"] for w in operation.waits], operation.events.count())
        if state == seen and {w["what"].split(".")[0] for w in operation.waits} != {"distribution"}:
            break
        seen = state
        operations.run(operation.pk)
        operation.refresh_from_db()
    return operation


def test_a_wrong_registrar_is_told_before_and_while_it_is_waited_for(
    cloud: LocalCloud, zone: str, site: Site
):
    delegate(cloud, zone, "ns1.parking.example")
    shown = provision("--plan")
    assert f"- delegation  The registrar of {zone} shows ns1.parking.example" in shown
    assert not Operation.objects.exists()

    provision()
    operation = settled(site)
    (wait,) = operation.waits
    assert wait["what"] == f"domains {zone} and www.{zone}"
    assert set(wait) == {"what", "why", "since", "next_check", "last_seen", "todo"}
    assert "ns1.parking.example" in wait["last_seen"]
    site.refresh_from_db()
    assert site.state == Site.State.LIVE

    text, as_json = io.StringIO(), io.StringIO()
    call_command("site_status", "shop", stdout=text)
    call_command("site_status", "shop", "--json", stdout=as_json)
    assert f"Waits for domains {zone} and www.{zone}" in text.getvalue()
    assert "to do  Name these at the registrar, and no others: ns-" in text.getvalue()
    assert json.loads(as_json.getvalue())["waits"] == [wait]

    operations.run(operation.pk)
    operation.refresh_from_db()
    assert operation.waits[0]["since"] == wait["since"]

    undelegate(cloud, zone)
    assert settled(site).status == Operation.Status.SUCCESS


def test_a_caa_record_stops_it_before_anything_is_created(cloud: LocalCloud, zone: str, site: Site):
    delegate(cloud, zone, "ns1.other.example", CAA='0 issue "letsencrypt.org"')
    with pytest.raises(
        CommandError, match=r"(?s)Nothing was created.*letsencrypt\.org.*--force caa"
    ):
        provision()
    assert not Operation.objects.exists()

    # The worker looks for itself, whoever asked.
    operation = operations.request(site, Operation.Kind.PROVISION)
    operations.run(operation.pk)
    operation.refresh_from_db()
    site.refresh_from_db()
    assert operation.status == Operation.Status.FAILURE
    assert "letsencrypt.org" in operation.error_message
    assert site.state == Site.State.DRAFT
    assert not Resource.objects.exists()

    provision("--force", "caa")
    (wait,) = [w for w in settled(site).waits if "Amazon" in w["why"]]
    assert "letsencrypt.org" in wait["last_seen"]


def test_json_has_the_plan_and_the_findings(cloud: LocalCloud, zone: str, site: Site):
    delegate(cloud, zone, "ns1.other.example", CAA='0 issue ";"')
    told = json.loads(provision("--plan", "--json"))
    assert told["changes"]
    assert [each["code"] for each in told["findings"]] == ["caa", "delegation"]
    assert set(told["findings"][0]) == {"code", "about", "said", "todo", "blocks"}


def test_only_the_plan_that_was_shown_is_applied(site: Site):
    checksum = json.loads(provision("--plan", "--json"))["checksum"]
    site.domains.all().delete()
    with pytest.raises(CommandError, match="changed since this plan was shown"):
        provision("--checksum", checksum)
    assert not Operation.objects.exists()
    now = json.loads(provision("--plan", "--json"))["checksum"]
    provision("--checksum", now)
    operation = Operation.objects.get()
    assert operation.plan_checksum == now
    assert settled(site).status == Operation.Status.SUCCESS


def test_a_record_elsewhere_that_is_right_ends_the_wait(cloud: LocalCloud, site: Site):
    site.domains.all().delete()
    domain = f"{uuid.uuid4().hex[:12]}.org"
    Domain.objects.create(site=site, name=domain)
    provision()
    (wait,) = settled(site).waits
    assert wait["what"] == f"domain {domain}"
    rows = {row.logical_id.partition(".")[0]: row for row in site.resources.all()}
    proof, alias = rows["validation_record"].inputs, rows["alias_record"].inputs
    records = [
        {"name": proof["name"], "type": "CNAME", "value": proof["value"]},
        {"name": domain, "type": "CNAME", "value": alias["distribution_domain_name"]},
    ]
    document = {"domain": domain, "name_servers": ["ns1.own.example"], "records": records}
    http.post(f"{cloud.aws_endpoint}/_localcloud/registrar", json=document).raise_for_status()
    assert settled(site).status == Operation.Status.SUCCESS


def test_a_wait_has_begun_when_it_was_first_told(site: Site, monkeypatch):
    now = timezone.now()
    passes = [now + timedelta(minutes=number) for number in range(3)]
    outcomes = iter(Waiting((Wait("role", "db_instance", each, each),)) for each in passes)
    monkeypatch.setattr(operations, "_pass", lambda operation: next(outcomes))
    operation = operations.request(site, Operation.Kind.PROVISION)
    for _ in passes:
        operations.run(operation.pk)
    operation.refresh_from_db()
    assert datetime.fromisoformat(operation.waits[0]["since"]) == now


def test_a_line_of_history_is_written_with_its_row_or_not_at_all(site: Site, monkeypatch):
    operation = operations.request(site, Operation.Kind.PROVISION)
    operation.claim()
    store = RowStore(operation, site.account, site)
    group = LogGroup("/aws/lambda/x", 14, {})

    def killed(**_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(OperationEvent.objects, "create", killed)
        with pytest.raises(KeyboardInterrupt):
            store.record("log_group", group, State("x"), since=None, event="+ log_group  x")
    assert not site.resources.exists()
    store.record("log_group", group, State("x"), since=None, event="+ log_group  x")
    store.forget("log_group", event="- log_group  x")
    assert [event.message for event in operation.events.all()] == [
        "+ log_group  x",
        "- log_group  x",
    ]


# --- Long after -----------------------------------------------------------------------------------


def make_old(cloud: LocalCloud, arn: str, days_left: float) -> None:
    url = f"{cloud.aws_endpoint}/_localcloud/certificates"
    http.post(url, json={"arn": arn, "days_left": days_left}).raise_for_status()


def test_a_certificate_whose_record_is_gone_is_told_until_aws_renews_it(
    cloud, zone, site, admin_client
):
    run(operations.request(site, Operation.Kind.PROVISION))
    row = site.resources.get(type="certificate")
    assert Lifetime(row).days_left >= 197
    listener = ListenerFactory(site=site)
    record = site.resources.get(type="validation_record", logical_id=f"validation_record.{zone}")
    remove(cloud.clients, site, record.logical_id)
    make_old(cloud, row.physical_id, 12.5)
    drift_checks.check(site)

    name, value = record.inputs["name"].rstrip("."), record.inputs["value"].rstrip(".")
    said = (
        f"Expires in 12 days and AWS cannot renew it: the record {name} is gone. "
        f"Put it back: CNAME {name} → {value}."
    )
    home, sites = reverse("admin:index"), reverse("admin:sites_site_changelist")
    assert said in admin_client.get(home).content.decode()
    listed = admin_client.get(sites, {"attention": "certificate"})
    assert [line.name for line in listed.context["lines"]] == [site.name]
    overview, domains = (
        admin_client.get(reverse(f"admin:sites_site_{page}", args=[site.pk])).content.decode()
        for page in ("change", "domains")
    )
    for content in (overview, domains):
        assert f'CNAME <span class="copy"><code>{name}</code>' in content
    assert "gone from Route 53" in domains
    printed = io.StringIO()
    call_command("site_status", site.name, stdout=printed)
    assert f"expires in 12 days and AWS cannot renew it: the record {name}" in printed.getvalue()
    for _ in range(2):
        tell_notices()
    message = Message.objects.get(event="certificate.expiring")
    assert message.listener == listener
    assert message.told["data"]["records"] == [{"type": "CNAME", "name": name, "value": value}]

    run(drift.restore(site, drift.restore_plan(site).checksum))
    drift_checks.check(site, deep=False)  # what needs attention is looked at by the cheap look too
    row.refresh_from_db()
    assert row.renewal["status"] == "SUCCESS"
    assert Lifetime(row).days_left >= 197
    assert "Certificates expire soon" not in admin_client.get(home).content.decode()
