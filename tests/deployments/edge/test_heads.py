"""The heads of a site's hosts, through changes of its domains and of its settings."""

from __future__ import annotations

from typing import Any, cast

import pytest

from cloudadmin.aws import Clients
from deployments import publish, rollback, tasks
from deployments.edge import head_rules, heads, index_rows
from deployments.errors import DeploymentRefused
from deployments.models import EdgeIndex
from deployments.rollback import sites_with_unwritten_head
from deployments.target import address_at, target_of
from sites.models import Domain, Site
from sites.signals import site_provisioned
from tests.deployments.store import Store
from tests.factories import DomainFactory, SiteFactory
from tests.fakes import Killed

pytestmark = pytest.mark.django_db

OWN = "d1.cloudfront.net"
APEX, WWW, OTHER = "example.com", "www.example.com", "example.org"


@pytest.fixture
def site() -> Site:
    site = SiteFactory(live=True, serving=True)
    EdgeIndex.objects.create(site=site, head_release=1)
    at_the_edge(site)
    return site


@pytest.fixture
def store() -> Store:
    return Store()


def at_the_edge(site: Site, *aliases: str, settled: bool = True) -> None:
    """What the distribution is, as recorded."""
    site.resources.filter(logical_id="distribution").update(
        attributes={"domain_name": OWN, "aliases": [*aliases]}, is_ready=settled
    )


def flip(site: Site, store: Store) -> dict[str, Any]:
    before = store.calls
    publish.flip(site, target_of(site), cast(Clients, store))
    assert store.calls <= before + 1
    return store.heads()


def test_a_domain_has_its_head_before_the_edge_knows_it(site, store):
    DomainFactory(site=site, name=APEX)
    assert flip(site, store) == {OWN: "", APEX: ""}


def test_www_leads_to_the_first_domain_once_that_is_everywhere(site, store):
    DomainFactory(site=site, name=WWW, redirects=True)
    DomainFactory(site=site, name=APEX)
    at_the_edge(site, WWW)
    assert flip(site, store) == {OWN: "", WWW: "", APEX: ""}
    at_the_edge(site, WWW, APEX, settled=False)
    assert flip(site, store)[WWW] == ""
    at_the_edge(site, WWW, APEX)
    assert flip(site, store) == {OWN: "", WWW: APEX, APEX: ""}
    # Another change of the distribution takes nothing back.
    at_the_edge(site, WWW, APEX, settled=False)
    assert flip(site, store)[WWW] == APEX


def test_when_the_first_domain_goes_the_next_one_serves(site, store):
    DomainFactory(site=site, name=APEX)
    DomainFactory(site=site, name=WWW, redirects=True)
    DomainFactory(site=site, name=OTHER)
    at_the_edge(site, APEX, WWW, OTHER)
    assert flip(site, store)[WWW] == APEX
    Domain.objects.get(name=APEX).delete()
    assert flip(site, store)[WWW] == OTHER


def test_a_redirect_to_nowhere_serves(site, store):
    DomainFactory(site=site, name=WWW, redirects=True)
    at_the_edge(site, WWW)
    assert flip(site, store) == {OWN: "", WWW: ""}


def test_a_host_keeps_its_head_until_no_point_of_presence_answers_for_it(site, store):
    DomainFactory(site=site, name=APEX)
    at_the_edge(site, APEX)
    flip(site, store)
    Domain.objects.get(name=APEX).delete()
    assert APEX in flip(site, store)
    at_the_edge(site, settled=False)
    assert APEX in flip(site, store)
    at_the_edge(site)
    assert flip(site, store) == {OWN: ""}
    assert head_rules.hosts(EdgeIndex.objects.get(site=site)).keys() == {OWN}


@pytest.mark.parametrize(
    ("changes", "flags"),
    [
        ({"trailing_slash": Site.TrailingSlash.ALWAYS}, "a"),
        ({"trailing_slash": Site.TrailingSlash.NEVER}, "n"),
        ({"trailing_slash": Site.TrailingSlash.NEVER, "is_spa": True}, "sn"),
    ],
)
def test_settings_are_read_as_they_are_now(site, store, changes, flags):
    Site.objects.filter(pk=site.pk).update(**changes)
    assert flip(site, store) == {OWN: flags}


def test_a_head_that_was_written_by_a_killed_process_is_not_forgotten(site, store):
    DomainFactory(site=site, name=APEX)
    at_the_edge(site, APEX)
    store.dies = True
    with pytest.raises(Killed):
        publish.flip(site, target_of(site), cast(Clients, store))
    store.dies = False
    Domain.objects.get(name=APEX).delete()
    at_the_edge(site)
    assert flip(site, store) == {OWN: ""}


def test_what_a_killed_process_deleted_is_not_asked_for_twice_in_vain(site, store):
    DomainFactory(site=site, name=APEX)
    at_the_edge(site, APEX)
    flip(site, store)
    Domain.objects.get(name=APEX).delete()
    at_the_edge(site)
    store.dies = True
    with pytest.raises(Killed):
        publish.flip(site, target_of(site), cast(Clients, store))
    store.dies = False
    assert flip(site, store) == {OWN: ""}
    assert head_rules.hosts(EdgeIndex.objects.get(site=site)).keys() == {OWN}


def test_what_is_changed_while_heads_are_written_is_written_next(site, store, monkeypatch):
    update_keys = store.update_keys

    def and_meanwhile(**arguments: Any) -> Any:
        answer: dict[str, str] = update_keys(**arguments)
        Site.objects.filter(pk=site.pk).update(is_spa=True)
        return answer

    monkeypatch.setattr(store, "update_keys", and_meanwhile)
    target, clients = target_of(site), cast(Clients, store)
    named = heads.name(site, target)
    index_rows.update_keys(clients, target.store_arn, lambda: named)
    heads.were_written(site, named)
    assert site in sites_with_unwritten_head()
    monkeypatch.undo()
    assert flip(site, store) == {OWN: "s"}
    assert site not in sites_with_unwritten_head()


def test_a_site_that_was_provisioned_has_its_heads_written_again(site):
    site_provisioned.send(sender=Site, site=site)
    assert site in sites_with_unwritten_head()


def test_deploys_go_on_while_the_distribution_changes(site):
    at_the_edge(site, settled=False)
    assert target_of(site).hosts == (OWN,)
    Site.objects.filter(pk=site.pk).update(state=Site.State.PROVISIONING)
    with pytest.raises(DeploymentRefused, match="not live yet"):
        target_of(site)


def test_the_address_is_the_first_domain_that_serves(site, settings):
    settings.CLOUDADMIN_EDGE_URL = ""
    DomainFactory(site=site, name=WWW, redirects=True)
    DomainFactory(site=site, name=APEX)

    def address() -> str:
        distribution = site.resources.get(logical_id="distribution")
        return address_at(site, distribution, site.domains.all())

    assert address() == f"https://{OWN}/"
    at_the_edge(site, WWW)
    assert address() == f"https://{OWN}/"
    at_the_edge(site, WWW, APEX)
    assert address() == f"https://{APEX}/"


def test_only_heads_that_differ_are_put(site, store, monkeypatch):
    flip(site, store)
    DomainFactory(site=site, name=APEX)
    put: list[str] = []
    update_keys = store.update_keys

    def note(**arguments: Any) -> Any:
        put.extend(each["Key"] for each in arguments["Puts"])
        return update_keys(**arguments)

    monkeypatch.setattr(store, "update_keys", note)
    flip(site, store)
    assert put == [f"h:{APEX}"]
    flip(site, store)
    assert put == [f"h:{APEX}"]


def test_each_site_has_a_task_of_its_own(site, store, monkeypatch):
    EdgeIndex.objects.filter(site=site).update(is_head_written=False)
    asked: list[int] = []
    monkeypatch.setattr(tasks.write_head, "delay", asked.append)
    tasks.write_heads()
    assert asked == [site.pk]
    monkeypatch.setattr(rollback, "clients_for", lambda account: store)
    monkeypatch.setattr(publish, "put_error_page", lambda *_: None)
    tasks.write_head(site.pk)
    assert store.heads() == {OWN: ""}
    calls = store.calls
    tasks.write_head(site.pk)
    assert store.calls == calls
