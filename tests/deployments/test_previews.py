"""Names of previews, which deployment each shows, and how they end."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any, cast

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from cloudadmin.aws import Clients
from deployments import access, previews
from deployments.edge import index_rows
from deployments.errors import DeploymentRefused
from deployments.manifest import Entry, Manifest
from deployments.models import Deployment, EdgeIndex
from deployments.preview_names import label_of
from deployments.target import target_of
from sites.models import Site
from tests.deployments.store import Store
from tests.factories import DeploymentFactory, DomainFactory, SiteFactory

BASE = "preview.example.com"
OWN = "d1.cloudfront.net"


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    store = Store()
    monkeypatch.setattr(access, "clients_for", lambda account: store)
    return store


@pytest.fixture
def site(db: None) -> Site:
    site: Site = SiteFactory(live=True, serving=True, name="blog")
    DomainFactory(site=site, name=f"*.{BASE}")
    at_the_edge(site, f"*.{BASE}")
    return site


def at_the_edge(site: Site, *aliases: str, settled: bool = True) -> None:
    site.resources.filter(logical_id="distribution").update(
        attributes={"domain_name": OWN, "aliases": [*aliases]}, is_ready=settled
    )


def preview(site: Site, store: Store, number: int, branch: str = "", **fields: Any) -> Deployment:
    manifest = Manifest({"index.html": Entry(str(number), 1, "text/html", "no-cache")})
    deployment: Deployment = DeploymentFactory(
        site=site,
        number=number,
        release_number=None,
        environment=Deployment.Environment.PREVIEW,
        ref=branch,
        label=label_of(branch) if branch else "",
        manifest=manifest.to_bytes(),
        **fields,
    )
    index_rows.prepare(deployment, manifest)
    index_rows.write(site, cast(Clients, store), target_of(site).store_arn)
    previews.serve(deployment, target_of(site), cast(Clients, store))
    return deployment


def shown(store: Store) -> dict[str, int]:
    """Label -> release."""
    heads = {
        key.removeprefix("h:").removesuffix(f".{BASE}"): json.loads(value)
        for key, value in store.keys.items()
        if key.endswith(BASE)
    }
    assert all("x" in head["f"] for head in heads.values())
    return {label: int(head["r"], 36) for label, head in heads.items()}


@pytest.mark.parametrize(
    ("branch", "label"),
    [
        ("main", "main"),
        ("feature/Login", "feature-login"),
        ("fix_1.2", "fix-1-2"),
        ("d12", r"d12-\w{6}"),
        ("grün", r"gr-n-\w{6}"),
        ("日本", r"branch-\w{6}"),
        ("x" * 41, r"x{33}-\w{6}"),
    ],
)
def test_labels_of_branches(branch: str, label: str):
    assert re.fullmatch(label, label_of(branch))


@given(st.text(min_size=1))
def test_every_branch_has_a_label_that_hosts_may_have(branch: str):
    label = label_of(branch)
    assert 1 <= len(label) <= 40
    assert set(label) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert not label.startswith("-")
    assert not label.endswith("-")
    assert not (label[0] == "d" and label[1:].isdigit())


def test_a_branch_shows_its_newest_and_each_deployment_has_its_own(site, store):
    first = preview(site, store, 1, "Fix/1")
    assert shown(store) == {"fix-1": 1, "d1": 1}
    preview(site, store, 2, "Fix/1")
    preview(site, store, 3)
    assert shown(store) == {"fix-1": 2, "d2": 2, "d1": 1, "d3": 3}
    first.refresh_from_db()
    assert previews.host_of(first) == f"d1.{BASE}"


def test_what_is_taken_back_gives_its_branch_to_the_one_before(site, store):
    preview(site, store, 1, "main")
    second = preview(site, store, 2, "main")
    second.write(is_previewed=False, state=Deployment.State.FAILURE)
    assert access.write_heads(site)
    assert shown(store) == {"main": 1, "d1": 1}


def test_an_older_one_that_comes_late_does_not_take_the_branch(site, store):
    preview(site, store, 2, "main")
    preview(site, store, 1, "main")
    assert shown(store)["main"] == 1
    assert Deployment.objects.get(number=1).label == "d1"


def test_closing_a_branch_closes_all_that_it_has(site, store):
    for number, branch in ((1, "main"), (2, "main"), (3, "other")):
        preview(site, store, number, branch)
    assert previews.close(site, "d2") == [2]
    assert shown(store) == {"main": 1, "d1": 1, "other": 3, "d3": 3}
    preview(site, store, 4, "main")
    assert sorted(previews.close(site, "main")) == [1, 4]
    assert shown(store) == {"other": 3, "d3": 3}
    with pytest.raises(DeploymentRefused, match="no preview “main”. It has: other"):
        previews.close(site, "main")
    assert Deployment.objects.get(number=4).state == Deployment.State.INACTIVE


def test_a_preview_lives_for_days_and_a_new_deployment_renews_it(site, store):
    old, new = preview(site, store, 1, "main"), preview(site, store, 2, "main")
    assert new.expires_at
    assert timedelta(days=13) < new.expires_at - timezone.now() < timedelta(days=15)
    Deployment.objects.filter(pk=old.pk).update(expires_at=timezone.now())
    assert previews.expire() == [site]
    assert previews.expire() == []
    assert shown(store) == {"main": 2, "d2": 2}


def test_without_a_domain_it_is_refused_with_what_to_do(site, store):
    site.domains.all().delete()
    with pytest.raises(DeploymentRefused, match="--add-domain"):
        previews.domain_of(site)
    DomainFactory(site=site, name=f"*.{BASE}")
    at_the_edge(site)
    with pytest.raises(DeploymentRefused, match="not at the edge yet"):
        previews.domain_of(site)


def test_addresses(site, settings):
    deployment = DeploymentFactory(site=site, label="main", is_previewed=True)
    settings.CLOUDADMIN_EDGE_URL = "http://127.0.0.1:8100"
    assert previews.url_of(deployment) == f"http://main.{BASE}.localhost:8100/"
    settings.CLOUDADMIN_EDGE_URL = ""
    assert previews.url_of(deployment) == f"https://main.{BASE}/"
    site.domains.all().delete()
    assert previews.url_of(deployment) == ""


def test_the_domain_of_previews_never_serves_the_site(site):
    target = target_of(site)
    assert target.hosts == (OWN,)
    assert target.attached == frozenset()
    assert target.preview_domains == (BASE,)


def test_a_label_that_is_the_name_of_a_site_stays_that(site, store):
    DomainFactory(name=f"www.{BASE}")
    preview(site, store, 1, "www")
    assert Deployment.objects.get(number=1).label == "d1"


def test_a_head_stays_until_the_edge_has_let_go_of_the_wildcard(site, store):
    preview(site, store, 1, "main")
    site.domains.all().delete()
    assert access.write_heads(site)
    at_the_edge(site, settled=False)
    assert access.write_heads(site)
    assert shown(store)
    at_the_edge(site)
    assert access.write_heads(site)
    assert not shown(store)


def test_previews_give_way_when_the_index_is_full(site, store):
    """Twenty-nine releases of one path fit; branches stay before deployments of their own."""
    for number in range(1, 36):
        preview(site, store, number, "main" if number == 1 else "")
    kept = {row.number for row in previews.listed(site)}
    assert {1, 35} < kept
    assert len(kept) < 30
    assert EdgeIndex.objects.get(site=site).is_head_written
    lost = Deployment.objects.filter(is_previewed=False).first()
    assert lost is not None
    assert "no room" in lost.error_message
    assert {f"d{n}" for n in kept} == shown(store).keys() - {"main"}


def test_the_command(site, store, capsys):
    call_command("previews", "blog")
    assert "no previews" in capsys.readouterr().out
    preview(site, store, 1, "main")
    call_command("previews", "blog")
    assert "main" in capsys.readouterr().out
    call_command("previews", "blog", "--json")
    assert json.loads(capsys.readouterr().out)[0]["label"] == "main"
    call_command("previews", "blog", "--close", "main")
    assert "Closed: #1." in capsys.readouterr().out
    with pytest.raises(CommandError, match="no preview"):
        call_command("previews", "blog", "--close", "main")
