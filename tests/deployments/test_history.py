"""Random histories of a site with previews: what the real router answers, and what the bucket has.

Deploys, previews, failures, rollbacks, closed previews, prunes and sweeps, some of them killed.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any, cast
from unittest import mock
from urllib.parse import quote

import pytest
from django.utils import timezone
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from cloudadmin.aws import Clients
from deployments import access, operations, previews, publish, retention
from deployments.edge import index_rows
from deployments.manifest import Entry, Manifest, survives
from deployments.models import Deployment, DeploySettings, EdgeIndex
from deployments.preview_names import own_label
from deployments.rule_files.redirects import Redirect
from deployments.target import target_of
from localcloud.function_runtime import FunctionRuntime
from tests.deployments.store import Store
from tests.factories import DeploymentFactory, DomainFactory, SiteFactory
from tests.fakes import Killed

ROUTER = (Path(__file__).parents[2] / "lambda_src/router/router.js").read_text()
APEX, BASE = "example{}.com", "preview.example{}.com"
# No path is another one's clean address. Half of them outlive their release for open pages.
PATHS = [
    f"{folder}page-{n}.{kind}" for folder in ("", "ü b/") for n in (1, 2) for kind in ("txt", "css")
]
MOVED = "old-address"
files = st.dictionaries(st.sampled_from(PATHS), st.integers(0, 2), max_size=len(PATHS))
# Each is a site with all that happens to it: 8 in the gate.
EXAMPLES = settings().max_examples // 6
State, Environment = Deployment.State, Deployment.Environment


class History(RuleBasedStateMachine):
    @initialize()
    def start(self) -> None:
        self.store = Store()
        self.clients = cast(Clients, self.store)
        self.router = FunctionRuntime(ROUTER, self.store.keys)
        self.site = SiteFactory(live=True, serving=True)
        pk = self.site.pk
        self.apex, self.base = APEX.format(pk), BASE.format(pk)
        DomainFactory(site=self.site, name=self.apex)
        DomainFactory(site=self.site, name=f"*.{self.base}")
        distribution = self.site.resources.get(logical_id="distribution")
        distribution.attributes |= {"aliases": [self.apex, f"*.{self.base}"]}
        distribution.save()
        DeploySettings.objects.create(site=self.site, keep_deployments=1, keep_days=0)

    def prepared(self, files: dict[str, int], moves: int, **fields: Any) -> Deployment:
        """Uploaded and indexed, as a worker leaves it before the flip."""
        entries = {
            path: Entry(f"{path}={content}", 1, "text/plain", "no-cache")
            for path, content in files.items()
        }
        redirects = (Redirect(f"/{MOVED}", f"/to-{moves}"),) if moves else ()
        manifest = Manifest(entries, redirects)
        for path, entry in operations.missing_objects(self.site, manifest).items():
            self.store.objects.add(f"objects/{entry.hash}/{path}")
        deployment: Deployment = DeploymentFactory(
            site=self.site,
            number=Deployment.objects.filter(site=self.site).count() + 1,
            state=State.IN_PROGRESS,
            release_number=None,
            manifest=manifest.to_bytes(),
            **fields,
        )
        index_rows.prepare(deployment, manifest)
        index_rows.write(self.site, self.clients, target_of(self.site).store_arn)
        return deployment

    def flip(self) -> None:
        publish.flip(self.site, target_of(self.site), self.clients)

    @rule(files=files, moves=st.integers(0, 2))
    def deploy(self, files: dict[str, int], moves: int) -> None:
        deployment = self.prepared(files, moves)
        index_rows.settled(self.site)
        index_rows.name_head(self.site, deployment.release_number)
        self.flip()
        publish.mark_published(deployment)

    @rule(files=files, moves=st.integers(0, 2), branch=st.sampled_from(["", "main", "Fix/1"]))
    def preview(self, files: dict[str, int], moves: int, branch: str) -> None:
        deployment = self.prepared(
            files,
            moves,
            environment=Environment.PREVIEW,
            ref=branch,
            label=previews.label_of(branch) if branch else "",
        )
        previews.serve(deployment, target_of(self.site), self.clients)
        deployment.write(state=State.SUCCESS)

    @rule(files=files)
    def fail(self, files: dict[str, int]) -> None:
        self.prepared(files, 0).write(state=State.FAILURE)

    @rule(data=st.data())
    def roll_back(self, data: st.DataObject) -> None:
        earlier = [
            row
            for row in Deployment.objects.filter(site=self.site, published_at__isnull=False)
            if index_rows.can_name(row)
        ]
        if earlier:
            row = data.draw(st.sampled_from(earlier))
            index_rows.name_head(self.site, row.release_number)
            self.flip()
            publish.mark_published(row)

    @rule(data=st.data())
    def close(self, data: st.DataObject) -> None:
        open_ones = list(previews.listed(self.site))
        if open_ones:
            row = data.draw(st.sampled_from(open_ones))
            label = data.draw(st.sampled_from([row.label, own_label(row)]))
            with mock.patch.object(access, "clients_for", return_value=self.clients):
                assert row.number in previews.close(self.site, label)

    @rule()
    def prune(self) -> None:
        if EdgeIndex.objects.filter(site=self.site).exists():
            pruned = retention.prune(self.site)
            published = Deployment.objects.filter(site=self.site, is_published=True).first()
            assert published is None or published.number not in pruned

    @precondition(lambda self: Deployment.objects.filter(site=self.site).exists())
    @rule(dies=st.booleans())
    def sweep(self, dies: bool) -> None:
        earlier = timezone.now() - timedelta(hours=25)
        Deployment.objects.filter(site=self.site, pruned_at__isnull=False).update(pruned_at=earlier)
        self.store.dies = dies
        with mock.patch.object(retention, "clients_for", return_value=self.clients):
            try:
                retention.sweep(self.site)
            except Killed:
                self.store.dies = False
                retention.sweep(self.site)
        self.store.dies = False
        left = Deployment.objects.filter(site=self.site, pruned_at__isnull=False)
        assert not left.exclude(manifest=b"").exists()

    def answers(self, host: str, path: str) -> dict[str, Any]:
        request = {"uri": f"/{quote(path)}", "headers": {"host": {"value": host}}}
        result: dict[str, Any] = self.router.run(
            {"request": {**request, "querystring": {}, "cookies": {}, "method": "GET"}}
        )
        return result

    @invariant()
    def every_host_shows_its_release(self) -> None:
        hosts = {host: row for row in self.shown() for host in self.hosts_of(row)}
        heads = self.store.heads()
        own = target_of(self.site).hosts[0]
        if any(row.is_published for row in self.shown()):
            assert {*hosts} == heads.keys() - {own}
        for host, row in hosts.items():
            assert ("x" in heads[host]) == row.is_previewed
            self.assert_shows(host, Manifest.from_bytes(bytes(row.manifest)), row)

    def shown(self) -> list[Deployment]:
        rows = Deployment.objects.filter(site=self.site)
        return [*rows.filter(is_previewed=True).order_by("number"), *rows.filter(is_published=True)]

    def hosts_of(self, row: Deployment) -> list[str]:
        """Of two previews of one branch, the later one is later in the list."""
        if row.is_published:
            return [self.apex]
        labels = {row.label, own_label(row)} | ({previews.label_of(row.ref)} if row.ref else set())
        return [f"{label}.{self.base}" for label in labels]

    def assert_shows(self, host: str, manifest: Manifest, row: Deployment) -> None:
        for path in PATHS:
            uri = self.answers(host, path)["uri"]
            entry = manifest.entries.get(path)
            if entry is not None:
                assert uri == f"/objects/{entry.hash}/{quote(path)}"
                assert f"objects/{entry.hash}/{path}" in self.store.objects
            elif row.is_previewed or not survives(path):
                assert uri.startswith("/missing/")
            elif not uri.startswith("/missing/"):
                assert f"{'/'.join(uri.split('/')[1:3])}/{path}" in self.store.objects
        answer = self.answers(host, MOVED)
        found = answer.get("headers", {}).get("location", {}).get("value")
        assert found == (manifest.redirects[0].target if manifest.redirects else None)

    @invariant()
    def what_is_kept_is_in_the_bucket(self) -> None:
        for row in Deployment.objects.filter(site=self.site, pruned_at__isnull=True):
            assert Manifest.from_bytes(bytes(row.manifest)).object_keys() <= self.store.objects

    @invariant()
    def nothing_is_too_large(self) -> None:
        assert self.store.largest <= 50
        assert max(map(len, self.store.keys.values()), default=0) <= 1024


@pytest.mark.django_db
def test_every_history() -> None:
    run_state_machine_as_test(
        History, settings=settings(max_examples=EXAMPLES, stateful_step_count=12, deadline=None)
    )


@pytest.mark.django_db
def test_a_deployment_that_failed_takes_nothing_from_open_pages() -> None:
    """What the pages of #1 may still ask for was in #3 as well, which nobody ever saw."""
    history = History()
    history.start()
    history.deploy(files={"page-1.css": 0}, moves=0)
    history.deploy(files={}, moves=0)
    history.fail(files={"page-1.css": 0})
    history.prune()
    history.sweep(dies=False)
    history.every_host_shows_its_release()
    assert history.store.objects
