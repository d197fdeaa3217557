"""Maintenance and passwords: what the heads say, and what is kept."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from typing import Any, cast

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from cloudadmin.aws import Clients
from deployments import access, publish
from deployments.edge import head_rules, index_rows
from deployments.errors import DeploymentRefused
from deployments.manifest import Manifest
from deployments.models import DeploySettings, EdgeIndex
from deployments.rule_files.redirects import Redirect
from deployments.target import target_of
from sites.models import Site
from tests.deployments.store import Store
from tests.factories import DeploymentFactory, ResourceFactory, SiteFactory


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, settings) -> Store:
    settings.CLOUDADMIN_SETTLE_SECONDS = 0.0
    store = Store()
    monkeypatch.setattr(access, "clients_for", lambda account: store)
    return store


@pytest.fixture
def site(db: None) -> Site:
    site = SiteFactory(live=True, serving=True, name="blog")
    EdgeIndex.objects.create(site=site, head_release=1)
    return site


def head(store: Store) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        next(value for key, value in store.keys.items() if key.startswith("h:"))
    )
    return found


def passwords(store: Store) -> set[str]:
    return {key for key in store.keys if key.startswith("p:")} - {"p:form"}


def test_maintenance_is_a_flag(site, store, capsys):
    call_command("maintain_site", "blog", "--on")
    assert "m" in head(store)["f"]
    call_command("maintain_site", "blog", "--on")
    assert "already" in capsys.readouterr().out
    call_command("maintain_site", "blog", "--off")
    assert "m" not in head(store)["f"]


def test_a_password_is_shown_once_and_kept_as_a_hash(site, store, capsys):
    call_command("protect_site", "blog")
    password = capsys.readouterr().out.split()[-1]
    assert len(password) == access.LENGTH
    row = DeploySettings.objects.get(site=site)
    assert [rule["path"] for rule in row.protection] == ["/"]
    assert password not in json.dumps([row.protection, store.keys])
    assert head(store)["p"].partition(":")[0] in next(iter(passwords(store)))


def test_a_given_password_is_not_shown(site, store, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("correct horse\n"))
    call_command("protect_site", "blog", "--path", "members", "--password-stdin")
    assert "correct" not in capsys.readouterr().out
    call_command("protect_site", "blog", "--list")
    assert capsys.readouterr().out == "/members/\n"
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    with pytest.raises(CommandError, match="no password"):
        call_command("protect_site", "blog", "--password-stdin")


def test_an_edge_of_an_earlier_version_is_not_trusted_with_a_password(site):
    ResourceFactory(
        site=site, logical_id="function", type="function", properties={"code_sha256": "old"}
    )
    with pytest.raises(DeploymentRefused, match="provision_site blog"):
        access.protect(site)
    assert not DeploySettings.objects.filter(site=site).exclude(protection=[]).exists()


def test_what_protected_before_stays_for_a_while(site, store, monkeypatch):
    access.protect(site, "/")
    first = passwords(store)
    access.protect(site, "/a/")
    second = passwords(store)
    assert first < second
    access.set_maintenance(site, on=True)
    assert passwords(store) == second
    monkeypatch.setattr(head_rules, "KEPT", timedelta(0))
    assert access.unprotect(site) == ["/", "/a/"]
    assert "p" not in head(store)
    assert access.write_heads(site)
    assert not passwords(store) - first
    later = timezone.now() + timedelta(hours=2)
    monkeypatch.setattr(timezone, "now", lambda: later)
    assert access.write_heads(site)
    assert not passwords(store)
    assert "p:form" not in store.keys


def test_a_password_settles_before_a_head_names_it(site, store, settings, monkeypatch):
    woken: list[float] = []
    monkeypatch.setattr(publish, "_wake_in", lambda site, seconds: woken.append(seconds))
    access.protect(site, "/")
    before = head(store)["p"]
    settings.CLOUDADMIN_SETTLE_SECONDS = 10.0
    access.protect(site, "/")
    assert len(passwords(store)) == 2
    assert head(store)["p"] == before
    assert 9 < woken[-1] <= 10
    assert not EdgeIndex.objects.get(site=site).is_head_written
    access.set_maintenance(site, on=True)
    assert "m" in head(store)["f"]
    assert head(store)["p"] == before
    later = timezone.now() + timedelta(seconds=11)
    monkeypatch.setattr(timezone, "now", lambda: later)
    assert access.write_heads(site)
    assert head(store)["p"] != before
    assert EdgeIndex.objects.get(site=site).is_head_written
    settings.CLOUDADMIN_SETTLE_SECONDS = 60.0
    access.unprotect(site)
    assert "p" not in head(store)


def test_only_what_is_protected_can_be_opened(site, store):
    access.protect(site, "/a/", "long enough!")
    with pytest.raises(DeploymentRefused, match="Protected: /a/"):
        access.unprotect(site, "/b")
    assert access.unprotect(site, "a") == ["/a/"]


@pytest.mark.parametrize("password", ["eleven char", "x" * 201])
def test_passwords_have_a_length(site, store, password):
    with pytest.raises(DeploymentRefused, match="characters"):
        access.protect(site, "/", password)


@pytest.mark.parametrize("path", ["data", "/data/", "/%64ata/x", "_cloudadmin/", "//data//"])
def test_what_answers_without_the_router_cannot_be_protected(site, store, path):
    with pytest.raises(DeploymentRefused, match=r"/data/ and /_cloudadmin/ answer without"):
        access.protect(site, path)
    assert not passwords(store)


def test_what_the_password_of_a_whole_site_leaves_open_is_said(site, store, capsys):
    call_command("protect_site", "blog")
    assert "as before: /data/ and /_cloudadmin/." in capsys.readouterr().out
    call_command("protect_site", "blog", "--path", "/data.html")
    assert "as before" not in capsys.readouterr().out


def test_a_path_is_one_however_its_letters_are_composed(site, store):
    access.protect(site, "/cafe\u0301/")
    access.protect(site, "/caf\u00e9/")
    assert access.unprotect(site, "/cafe\u0301") == ["/caf\u00e9/"]


@given(st.text("ab./%", max_size=12))
def test_a_path_has_one_way_to_be_written(path):
    try:
        once = access.canonical(path)
    except DeploymentRefused:
        return
    assert once.startswith("/")
    assert once.endswith("/")
    assert "//" not in once


def deploy(site: Site, store: Store, number: int, *redirects: Redirect) -> None:
    manifest = Manifest({}, redirects)
    deployment = DeploymentFactory(site=site, number=number, release_number=None)
    index_rows.prepare(deployment, manifest)
    index_rows.write(site, cast(Clients, store), target_of(site).store_arn)
    index_rows.settled(site)
    index_rows.name_head(site, deployment.release_number)
    publish.flip(site, target_of(site), cast(Clients, store))
    publish.mark_published(deployment)


def test_redirect_rules_are_there_before_the_head_and_go_with_their_last_release(site, store):
    def rules() -> set[str]:
        return {key for key in store.keys if key.startswith("q:")}

    EdgeIndex.objects.filter(site=site).update(head_release=None)
    deploy(site, store, 1, Redirect("/a", "/b"))
    first = rules()
    assert head(store)["q"].partition(":")[0] in next(iter(first))
    deploy(site, store, 2, Redirect("/a", "/b"))
    assert rules() == first
    deploy(site, store, 3)
    assert "q" not in head(store)
    assert rules() == first
    row = EdgeIndex.objects.get(site=site)
    row.reachable = [3]
    row.save()
    assert access.write_heads(site)
    assert not rules()
    assert head_rules.hosts(EdgeIndex.objects.get(site=site)).keys()
