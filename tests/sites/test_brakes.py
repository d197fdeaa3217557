"""What an operation refuses to do before it makes a call."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from sites import operations, provisioning
from sites.models import Operation, Site
from sites.operations import OperationRefused
from sites.provisioning.plan import Delete, Plan
from tests.factories import DomainFactory, SiteFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def site() -> Site:
    return SiteFactory()


@pytest.fixture
def _plan_loses_visits(monkeypatch):
    change = Delete("counter_schema", "counter_schema", "the counter", keeps_data=True)
    monkeypatch.setattr(operations, "plan", lambda site: Plan((change,)))
    monkeypatch.setattr(provisioning, "advance", lambda *args, **kwargs: provisioning.Done())


@pytest.mark.usefixtures("_plan_loses_visits")
def test_data_does_not_go_unless_it_is_named(site):
    operation = operations.request(site, Operation.Kind.PROVISION)
    assert operations.run(operation.pk) is None
    operation.refresh_from_db()
    assert operation.status == Operation.Status.FAILURE
    assert "--force counter_schema" in operation.error_message

    named = operations.request(site, Operation.Kind.PROVISION, force=["counter_schema"])
    operations.run(named.pk)
    named.refresh_from_db()
    assert named.status == Operation.Status.SUCCESS


def test_a_site_that_is_being_destroyed_is_not_provisioned(site):
    site.state = Site.State.DESTROYING
    site.save()

    with pytest.raises(OperationRefused, match="being destroyed"):
        operations.request(site, Operation.Kind.PROVISION)


@pytest.mark.parametrize("name", ["demo.localhost", "d123.cloudfront.net", "x.s3.amazonaws.com"])
def test_names_of_aws_and_of_this_machine_are_no_domains(site, name):
    with pytest.raises(ValidationError, match="registered"):
        DomainFactory.build(site=site, name=name).full_clean()
