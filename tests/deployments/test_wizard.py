"""A new site through its three screens."""

from __future__ import annotations

import io
import json
import zipfile
from unittest import mock

import pytest
from celery import current_app
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone

from deployments import launches
from deployments.models import Deployment, Launch
from deployments.pushes.branches import raise_if_silent
from deployments.source import SourceRefused
from sites import prospects, tasks
from sites.models import Membership, Operation, Role, Site, Team
from sites.preflight import about_domain
from sites.provisioning.plan import Create, Plan
from sites.provisioning.preflight import Finding
from tests.factories import (
    AccountFactory,
    DeploymentFactory,
    DomainFactory,
    LaunchFactory,
    OperationFactory,
    ResourceFactory,
    SiteFactory,
    TeamFactory,
    UserFactory,
    member,
)

pytestmark = pytest.mark.django_db

BUCKET = Create("bucket", "bucket", "cloudadmin-blog")
DATABASE = Create("db_instance", "db_instance", "cloudadmin-db", usual_wait=400)
PLAN = Plan((BUCKET,), (DATABASE,))
CAA = Finding("caa", "example.com", "CAA forbids Amazon.", "Add a record.", blocks=True)


def zipped(**files: str) -> SimpleUploadedFile:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "."), content)
    return SimpleUploadedFile("blog.zip", data.getvalue())


@pytest.fixture(autouse=True)
def data_dir(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    return tmp_path


@pytest.fixture
def plan(monkeypatch):
    monkeypatch.setattr(prospects, "findings", mock.create_autospec(prospects.findings))
    prospects.findings.return_value = ()  # type: ignore[attr-defined]
    planned = mock.create_autospec(prospects.plan, return_value=PLAN)
    monkeypatch.setattr(prospects, "plan", planned)
    return planned


@pytest.fixture
def run_operation(monkeypatch):
    sent = mock.create_autospec(current_app.send_task)
    monkeypatch.setattr(current_app, "send_task", sent)
    return sent


@pytest.fixture
def person(client):
    """An operator of one team."""
    team = TeamFactory()
    user = member(Role.OPERATOR, team)
    client.force_login(user)
    AccountFactory()
    return user


def send(client, url=None, **fields) -> str:
    """Where the first screen leads."""
    fields = {"name": "blog", "source": "files", **fields}
    answer: HttpResponseRedirect = client.post(url or reverse("new-site"), fields)
    return answer.url


def page(client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200, url
    shown: str = response.content.decode()
    return shown


# --- The first screen -------------------------------------------------------------------------


def test_files_are_kept_and_lead_to_the_plan(client, person, data_dir):
    url = send(client, file=zipped(index__html="<p>start"), domain="München.de.", has_counter="on")
    launch = Launch.objects.get()
    assert url == reverse("new-site-plan", args=[launch.pk])
    assert (launch.owner, launch.team, launch.name) == (person, Team.objects.get(), "blog")
    assert (launch.file_name, launch.file_count) == ("blog.zip", 1)
    assert launch.domain == "xn--mnchen-3ya.de"
    assert (data_dir / "launches" / launch.file).exists()
    assert "blog.zip" in page(client, url)


@pytest.mark.parametrize(
    ("file", "said"),
    [
        (zipped(index__html="<p>", __env="KEY=1"), "would be public"),
        (zipped(readme__txt="none"), "there is no index.html"),
        (SimpleUploadedFile("blog.zip", b"Rar!\x1a\x07"), "RAR archive"),
    ],
)
def test_a_refused_file_costs_neither_the_draft_nor_the_good_file(client, person, file, said):
    send(client, file=zipped(index__html="<p>start"))
    launch = Launch.objects.get()
    url = send(client, reverse("new-site-draft", args=[launch.pk]), name="shop", file=file)
    shown = page(client, url)
    assert said in shown
    assert "blog.zip</strong>" in shown
    assert 'value="shop"' in shown
    assert launches.drafts.path_of(launch).exists()
    assert len([*launches.drafts.folder().iterdir()]) == 1
    # As it is now it can go on, with the good one.
    assert send(client, url, name="shop").endswith("/plan/")


def test_what_was_refused_for_its_secrets_can_be_let_through_by_name(client, person):
    files = {"index__html": "<p>", "__env": "KEY=1"}
    url = send(client, file=zipped(**files))
    assert ">.env</textarea>" in page(client, url)
    assert send(client, url, file=zipped(**files), allow=".env").endswith("/plan/")
    assert Launch.objects.get().allowed == [".env"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": "My Shop"}, "How about “my-shop”?"),
        ({"name": "a" * 41}, "this one has 41"),
        ({"name": "\u202egpj\x00"}, "lower-case letters"),
        ({"name": "taken"}, "There is a site “taken” already"),
        ({"name": ""}, "Give the site a name"),
        ({"domain": "*.example.com"}, "that of previews"),
        ({"domain": "straße.de"}, "read in two ways"),
        ({"domain": "https://example.com/"}, "A domain looks like"),
        ({"domain": "taken.example.com"}, "belongs to another site"),
        ({"domain": "d1.cloudfront.net"}, "belongs to AWS"),
        ({"source": "git", "git_url": "https://me:pw@example.com/a.git"}, "password"),
        ({"source": "git", "git_url": "ftp://example.com/a.git"}, "no way to a repository"),
        ({"source": "git"}, "Give the address of the repository"),
        ({"source": "files"}, "Choose a folder or an archive"),
    ],
)
def test_what_is_not_right_is_said_and_kept(client, person, fields, said):
    DomainFactory(name="taken.example.com", site__name="taken")
    url = send(client, **{"source": "sample", **fields})
    assert url == reverse("new-site-draft", args=[Launch.objects.get().pk])
    assert said in page(client, url)
    assert client.get(reverse("new-site-plan", args=[Launch.objects.get().pk])).url == url


def test_hostile_text_is_inert(client, person):
    url = send(client, name="<script>alert(1)</script>", domain='"><b>', source="git", git_url="'>")
    shown = page(client, url)
    assert "<script>alert" not in shown
    assert '"><b>' not in shown


def test_scripts_are_told_where_to_go_on(client, person):
    fields = {"name": "blog", "source": "sample"}
    answer = client.post(reverse("new-site"), fields, headers={"accept": "application/json"})
    launch = Launch.objects.get()
    assert json.loads(answer.content) == {"url": reverse("new-site-plan", args=[launch.pk])}


def test_a_name_is_checked_while_it_is_typed(client, person, settings):
    SiteFactory(name="taken")
    check = reverse("new-site-name")
    settings.CLOUDADMIN_EDGE_URL = "http://127.0.0.1:8080"
    assert "http://blog.localhost:8080/" in page(client, f"{check}?name=blog")
    assert "already" in page(client, f"{check}?name=taken")


def test_a_domain_is_looked_up_before_there_is_a_site(client, person, monkeypatch):
    look = mock.create_autospec(about_domain, return_value=(CAA,))
    monkeypatch.setattr("deployments.admin.wizard.draft.about_domain", look)
    check = reverse("new-site-domain")
    assert "CAA forbids Amazon" in page(client, f"{check}?domain=example.com")
    assert "A domain looks like" in page(client, f"{check}?domain=nothing")
    look.return_value = ()
    assert "can be used" in page(client, f"{check}?domain=example.com")
    assert look.call_count == 2


def test_the_team_is_asked_for_where_there_are_several(client, person):
    foreign = TeamFactory(name="Foreign")
    second = TeamFactory(name="Second")
    Membership.objects.create(user=person, team=second, role=Role.OWNER)
    Membership.objects.create(user=person, team=foreign, role=Role.DEPLOYER)
    shown = page(client, reverse("new-site"))
    assert "Second" in shown
    assert "Foreign" not in shown
    for pk in ("", foreign.pk, "x"):
        assert send(client, source="sample", team=pk).count("plan") == 0
    assert send(client, source="sample", team=second.pk).endswith("/plan/")


def test_who_may_not_make_sites_meets_nothing_of_it(client):
    launch = LaunchFactory(running=True)
    draft = LaunchFactory()
    client.force_login(member(Role.OWNER, SiteFactory()))
    assert client.get(reverse("new-site")).status_code == 403
    for name in ("draft", "plan", "discard"):
        url = reverse(f"new-site-{name}", args=[draft.pk])
        assert client.post(url).status_code == 403, name
    client.force_login(UserFactory(is_superuser=True))
    for pk in (launch.pk, draft.pk, 10**9):
        for name in ("draft", "plan", "discard", "progress", "panel", "act"):
            url = reverse(f"new-site-{name}", args=[pk])
            answer = client.post(url) if name in ("discard", "act") else client.get(url)
            assert answer.status_code == 404, name


def test_a_draft_can_be_discarded_with_its_file(client, person):
    send(client, file=zipped(index__html="<p>start"))
    launch = Launch.objects.get()
    client.post(reverse("new-site-discard", args=[launch.pk]))
    assert not Launch.objects.exists()
    assert not [*launches.drafts.folder().iterdir()]


# --- The second screen ------------------------------------------------------------------------


def drafted(client, **fields) -> tuple[Launch, str]:
    url = send(client, **{"source": "sample", **fields})
    return Launch.objects.latest("pk"), url


def test_the_plan_is_told_in_plain_words_with_its_price(client, person, plan):
    launch, url = drafted(client, domain="example.com")
    assert f"{url}?part=1" in page(client, url).replace('hx-get="', f'hx-get="{url}')
    shown = page(client, f"{url}?part=1")
    assert "Private storage" in shown
    assert "$13.98" in shown
    assert plan.call_args.args[0].uid == launch.uid
    assert plan.call_args.args[1] == ("example.com",)


def test_what_aws_would_refuse_is_not_begun(client, person, plan):
    _, url = drafted(client, domain="example.com")
    prospects.findings.return_value = (CAA,)  # type: ignore[attr-defined]
    shown = page(client, f"{url}?part=1")
    assert "Make the site without example.com now" in shown
    assert 'name="checksum"' not in shown


def test_a_repository_that_does_not_answer_is_told_before(client, person, plan, monkeypatch):
    asked = mock.create_autospec(raise_if_silent, side_effect=SourceRefused("gone"))
    monkeypatch.setattr("deployments.admin.wizard.plan.raise_if_silent", asked)
    _, url = drafted(client, source="git", git_url="https://example.com/a.git")
    assert "gone" in page(client, f"{url}?part=1")


def test_one_button_makes_it_once(
    client, person, plan, run_operation, django_capture_on_commit_callbacks
):
    launch, url = drafted(client, domain="example.com")
    page(client, f"{url}?part=1")
    with django_capture_on_commit_callbacks(execute=True):
        for _ in range(2):
            answer = client.post(url, {"checksum": PLAN.checksum, "style": "once"})
            assert answer.url == reverse("new-site-progress", args=[launch.pk])
    site, operation = Site.objects.get(), Operation.objects.get()
    assert (site.uid, site.name, site.team) == (launch.uid, "blog", Team.objects.get())
    assert [domain.name for domain in site.domains.all()] == ["example.com"]
    assert (operation.creator, operation.plan_checksum) == (person, PLAN.checksum)
    assert not operation.by_hand
    run_operation.assert_called_once_with("sites.run_operation", (operation.pk,))


def test_another_plan_than_the_shown_one_is_not_made(client, person, plan):
    launch, url = drafted(client)
    page(client, f"{url}?part=1")
    send(client, reverse("new-site-draft", args=[launch.pk]), source="sample", name="other")
    answer = client.post(url, {"checksum": PLAN.checksum}, follow=True)
    assert "Look at it anew" in answer.content.decode()
    assert not Site.objects.exists()


def test_a_name_that_was_taken_meanwhile_sends_back(client, person, plan):
    _, url = drafted(client)
    page(client, f"{url}?part=1")
    SiteFactory(name="blog")
    answer = client.post(url, {"checksum": PLAN.checksum}, follow=True)
    assert "There is a site “blog” already" in answer.content.decode()


def test_without_a_team_it_is_its_makers(admin_client, admin_user, plan, run_operation):
    AccountFactory()
    launch, url = drafted(admin_client)
    page(admin_client, f"{url}?part=1")
    admin_client.post(url, {"checksum": PLAN.checksum, "style": "steps"})
    membership = Membership.objects.get()
    assert (membership.user, membership.role) == (admin_user, Role.OWNER)
    assert membership.site == Site.objects.get()
    assert Operation.objects.get().by_hand


# --- The third screen -------------------------------------------------------------------------


@pytest.fixture
def running(admin_user) -> Launch:
    launch = LaunchFactory(running=True, owner=admin_user, plan=PLAN.as_json())
    OperationFactory(site=launch.site, status=Operation.Status.IN_PROGRESS)
    return launch


def at(launch: Launch, name: str = "progress") -> str:
    return reverse(f"new-site-{name}", args=[launch.pk])


def test_each_step_tells_how_far_it_is(admin_client, running, django_assert_max_num_queries):
    now = timezone.now()
    ResourceFactory(site=running.site, waiting_for="AWS", is_ready=False, waiting_since=now)
    with django_assert_max_num_queries(20):
        shown = page(admin_client, at(running))
    assert "0 of 3 steps are done" in shown
    assert "Waits for AWS" in shown
    assert "aws s3api create-bucket --bucket cloudadmin-blog" in shown
    assert 'hx-trigger="every 2s"' in shown
    running.site.resources.update(is_ready=True)
    assert "1 of 3 steps are done" in page(admin_client, at(running, "panel"))


def test_the_address_is_there_when_it_is_live(admin_client, running, settings):
    settings.CLOUDADMIN_EDGE_URL = "http://127.0.0.1:8080"
    Site.objects.update(state=Site.State.LIVE)
    ResourceFactory(site=running.site, logical_id="distribution", attributes={"domain_name": "d"})
    Launch.objects.update(deployment=DeploymentFactory(site=running.site))
    shown = page(admin_client, at(running))
    assert f"{running.site.name} is live" in shown
    assert f'data-copy="http://{running.site.name}.localhost:8080/"' in shown


def test_a_failure_is_told_and_can_be_tried_again(admin_client, running, run_operation):
    Operation.objects.update(status=Operation.Status.FAILURE, error_message="bucket: no rights")
    shown = page(admin_client, at(running))
    assert "bucket: no rights" in shown
    assert "every 2s" not in shown
    for _ in range(2):
        admin_client.post(at(running, "act"), {"do": "retry"})
    assert Operation.objects.filter(status=Operation.Status.QUEUED).count() == 1
    assert "no rights" not in page(admin_client, at(running))


def test_step_by_step_one_thing_is_asked_for_once(admin_client, running, monkeypatch):
    monkeypatch.setattr(tasks.run_operation, "delay", lambda pk: None)
    Launch.objects.update(by_hand=True)
    asked = {"what": "bucket", "why": "It is next.", "asks": "create", "todo": "Say so."}
    Operation.objects.update(by_hand=True, waits=[asked])
    assert "Do this step" in page(admin_client, at(running))
    answer = admin_client.post(
        at(running, "act"), {"do": "step", "step": "db_instance"}, follow=True
    )
    assert "That step is under way" in answer.content.decode()
    admin_client.post(at(running, "act"), {"do": "step", "step": "bucket"})
    assert Operation.objects.get().chosen == "bucket"
    shown = page(admin_client, at(running))
    assert "Do this step" not in shown
    assert "is-busy" in shown
    admin_client.post(at(running, "act"), {"do": "rest"})
    assert not Operation.objects.get().by_hand
    assert not Launch.objects.get().by_hand


def test_step_by_step_the_files_are_published_when_asked_for(admin_client, running, run_operation):
    Launch.objects.update(by_hand=True)
    Operation.objects.update(status=Operation.Status.SUCCESS)
    publish = {"do": "step", "step": "publish"}
    admin_client.post(at(running, "act"), publish)
    assert not Launch.objects.get().may_publish
    Site.objects.update(state=Site.State.LIVE)
    assert "Your files" in page(admin_client, at(running))
    admin_client.post(at(running, "act"), publish)
    assert Launch.objects.get().may_publish


def test_a_site_that_is_gone_is_said(admin_client, running):
    Launch.objects.update(site=None)
    assert "The site is gone" in page(admin_client, at(running))
    assert admin_client.post(at(running, "act"), {"do": "retry"}).status_code == 404


def test_a_deployment_that_failed_is_tried_again_as_a_new_one(
    admin_client, running, run_operation, django_capture_on_commit_callbacks
):
    Operation.objects.update(status=Operation.Status.SUCCESS)
    failed = DeploymentFactory(
        site=running.site, state=Deployment.State.FAILURE, error_message="The edge answered 500."
    )
    Launch.objects.update(deployment=failed)
    assert "The edge answered 500." in page(admin_client, at(running))
    with django_capture_on_commit_callbacks(execute=True):
        admin_client.post(at(running, "act"), {"do": "retry"})
    running.refresh_from_db()
    assert (running.deployment, running.attempt) == (None, 2)
    run_operation.assert_called_with("deployments.advance_launch", (running.pk,))
