"""The first screen of a new site: its name, what to publish, its domain."""

from __future__ import annotations

import json
from unittest import mock

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from deployments import launches
from deployments.models import Launch
from sites.models import Account, Membership, Role, Team
from sites.preflight import about_domain
from tests.deployments.wizard.conftest import CAA, page, send, zipped
from tests.factories import (
    AccountFactory,
    DomainFactory,
    LaunchFactory,
    SiteFactory,
    TeamFactory,
    UserFactory,
    member,
)

pytestmark = pytest.mark.django_db


def test_files_are_kept_and_lead_to_the_plan(client, person, data_dir):
    url = send(
        client, file=zipped(index__html="<p>start"), domain="https://München.de/", has_counter="on"
    )
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


@pytest.mark.parametrize(
    ("files", "path"),
    [({"index__html": "<p>", "__env": "KEY=1"}, ".env"), ({"readme__txt": "none"}, "index.html")],
)
def test_what_was_refused_can_be_let_through_by_name(client, person, files, path):
    url = send(client, file=zipped(**files))
    assert f'name="allow" value="{path}">' in page(client, url)
    # Who sends the same again, and ticks nothing, has let nothing through.
    assert send(client, url, file=zipped(**files)) == url
    assert send(client, url, file=zipped(**files), allow=path).endswith("/plan/")
    assert Launch.objects.get().allowed == [path]


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
        ({"domain": "https://example.com/shop"}, "A domain looks like"),
        ({"domain": "taken.example.com"}, "belongs to another site"),
        ({"domain": "d1.cloudfront.net"}, "belongs to AWS"),
        ({"source": "git", "git_url": "https://me:pw@example.com/a.git"}, "password"),
        ({"source": "git", "git_url": "ftp://example.com/a.git"}, "no way to a repository"),
        (
            {"source": "git", "git_url": "https://github.com/you/site/tree/main/public/"},
            "write “https://github.com/you/site#main:public”.",
        ),
        ({"source": "git"}, "Give the address of the repository"),
        ({"source": "files"}, "Choose a folder or an archive"),
    ],
)
def test_what_is_not_right_is_said_and_kept(client, person, fields, said):
    taken = SiteFactory(name="taken", account=Account.objects.get())
    DomainFactory(name="taken.example.com", site=taken)
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


def test_of_several_accounts_those_are_offered_that_ones_teams_have_sites_on(client, person):
    own, other = Account.objects.get(), AccountFactory(name="Somebody-else")
    assert "No AWS account of yours yet" in page(client, reverse("new-site"))
    SiteFactory(account=own, team=Team.objects.get())
    SiteFactory(account=other, team=TeamFactory())
    assert other.name not in page(client, reverse("new-site"))

    url = send(client, source="sample", account=other.pk)
    launch = Launch.objects.get()
    assert (url, launch.account) == (reverse("new-site-draft", args=[launch.pk]), None)
    assert send(client, url, source="sample") == reverse("new-site-plan", args=[launch.pk])
    launch.refresh_from_db()
    assert launch.account == own


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
