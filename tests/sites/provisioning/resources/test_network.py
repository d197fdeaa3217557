"""Where the counters' database is, and who is let in."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

from hypothesis import given
from hypothesis import strategies as st

from cloudadmin.aws import Clients
from sites.provisioning.resources import DbSubnetGroup, SecurityGroup
from sites.provisioning.resources.security_group import RULE, permission, rules

OWN = "sg-0a1b"
sources = st.sampled_from(["itself", "sg-2c3d", "pl-1", "10.0.0.0/8", "::/0", "2001:db8::/32"])
ports = st.integers(0, 65535)
lines = st.one_of(
    st.builds(lambda first, last, to: f"tcp {first}:{last} {to}", ports, ports, sources),
    st.builds(lambda to: f"-1 *:* {to}", sources),
    st.builds(lambda kind, to: f"icmp {kind}:-1 {to}", st.integers(-1, 255), sources),
)


@given(st.lists(lines, unique=True))
def test_a_rule_is_read_as_it_was_told(asked: list[str]):
    group = {"GroupId": OWN, "IpPermissions": [permission(rule, OWN) for rule in asked]}
    assert rules(group) == sorted(asked)


def test_what_was_let_in_by_somebody_else_is_seen_and_put_right(clients: Clients, uid: str):
    (vpc,) = clients.ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
    group = SecurityGroup(f"cloudadmin-{uid}", vpc["VpcId"], {"Name": uid})
    made = group.create(clients)
    assert made.properties["IpPermissions"] == [RULE]
    everybody = "tcp 1:65535 0.0.0.0/0"
    clients.ec2.authorize_security_group_ingress(
        GroupId=made.physical_id, IpPermissions=[permission(everybody, made.physical_id)]
    )
    opened = group.read(clients)
    assert opened is not None
    assert group.changes(opened) == {"IpPermissions": ([everybody, RULE], [RULE])}
    assert group.changes(group.update(clients, opened)) == {}
    # What was made, and whose rule was not, is finished.
    clients.ec2.revoke_security_group_ingress(
        GroupId=made.physical_id, IpPermissions=[permission(RULE, made.physical_id)]
    )
    half = group.create(clients)
    assert not half.ready
    assert group.changes(group.update(clients, half)) == {}
    assert group.delete(clients, made) is None


def test_an_account_without_a_default_vpc_is_told_what_to_do():
    ec2: Any = Mock(spec=["describe_vpcs"])
    ec2.describe_vpcs.return_value = {"Vpcs": []}
    clients: Any = SimpleNamespace(ec2=ec2, region="eu-central-1")
    state = DbSubnetGroup("db", {}).create(clients)
    assert (state.physical_id, state.ready) == ("", False)
    assert "aws ec2 create-default-vpc --region eu-central-1" in state.todo
