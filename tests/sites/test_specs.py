"""What the rows ask of provisioning."""

from __future__ import annotations

import pytest

from sites.models import Account, Site
from sites.specs import account_spec, site_spec
from tests.factories import AccountFactory, DomainFactory, ResourceFactory, SiteFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def account() -> Account:
    account: Account = AccountFactory()
    for preset in ("standard", "strict"):
        account.resources.create(
            logical_id=f"response_headers_policy.{preset}",
            type="response_headers_policy",
            inputs={"name": "n", "preset": preset},
            physical_id=f"id-{preset}",
        )
    return account


def live(account: Account, wanted: str, has: str) -> Site:
    """A site that asks for one preset while its distribution has another one."""
    site: Site = SiteFactory(account=account, live=True, headers=wanted)
    ResourceFactory(
        site=site,
        logical_id="distribution",
        inputs={"response_headers_policy_id": f"id-{has}"},
    )
    return site


def test_a_preset_stays_until_every_distribution_has_changed_over(account):
    changing = live(account, "standard", has="strict")
    other = live(account, "standard", has="strict")
    assert account_spec(account, changing).headers == {"standard", "strict"}
    other.resources.update(inputs={"response_headers_policy_id": "id-standard"})
    assert account_spec(account, changing).headers == {"standard"}
    assert account_spec(account).headers == {"standard", "strict"}


def test_drafts_ask_for_nothing_until_they_are_provisioned(account):
    draft = SiteFactory(account=account, headers="strict")
    assert account_spec(account).headers == set()
    assert account_spec(account, draft).headers == {"strict"}


def test_a_domain_leaves_as_long_as_a_record_leads_to_it():
    site = SiteFactory(live=True)
    DomainFactory(site=site, name="stays.example.com")
    for name in ("stays.example.com", "leaves.example.com"):
        ResourceFactory(
            site=site,
            logical_id=f"alias_record.A.{name}",
            type="alias_record",
            inputs={"domain_name": name},
        )
    assert site_spec(site).leaving == ("leaves.example.com",)
    site.state = Site.State.DESTROYING
    assert site_spec(site).leaving == ()


@pytest.mark.parametrize("physical_id", ["", "version 1"])
def test_a_counter_that_may_have_counted_keeps_its_counts(physical_id):
    site = SiteFactory(live=True, has_counter=False)
    assert not site_spec(site).keeps_counts
    ResourceFactory(site=site, logical_id="counter_schema", physical_id=physical_id)
    assert site_spec(site).keeps_counts
