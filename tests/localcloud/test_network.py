"""Subnet groups and security groups, as AWS guards them."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloudadmin.aws import Clients, error_code
from tests.localcloud.conftest import LocalCloud
from tests.localcloud.world import World


@pytest.fixture
def clients(local_cloud: LocalCloud) -> Clients:
    return local_cloud.clients


@pytest.fixture
def name() -> str:
    return f"net-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def network(clients: Clients, name: str) -> dict[str, Any]:
    """In the words of CreateDBInstance."""
    (vpc,) = clients.ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
    filters = [{"Name": "vpc-id", "Values": [vpc["VpcId"]]}]
    subnets = clients.ec2.describe_subnets(Filters=filters)["Subnets"]
    clients.rds.create_db_subnet_group(
        DBSubnetGroupName=name,
        DBSubnetGroupDescription=name,
        SubnetIds=[subnet["SubnetId"] for subnet in subnets],
    )
    group = clients.ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc["VpcId"])
    return {"DBSubnetGroupName": name, "VpcSecurityGroupIds": [group["GroupId"]]}


def create(clients: Clients, name: str, **network: Any) -> None:
    clients.rds.create_db_instance(
        DBInstanceIdentifier=name,
        DBName=name,
        Engine="postgres",
        DBInstanceClass="db.t4g.micro",
        AllocatedStorage=20,
        MasterUsername="counter",
        MasterUserPassword="correct-horse",
        **network,
    )


def test_what_a_database_is_in_stays(clients: Clients, name: str, network: dict[str, Any]):
    (group_id,) = network["VpcSecurityGroupIds"]
    create(clients, name, **network)
    instance = clients.rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]
    assert instance["DBSubnetGroup"]["DBSubnetGroupName"] == name
    assert [each["VpcSecurityGroupId"] for each in instance["VpcSecurityGroups"]] == [group_id]
    with pytest.raises(ClientError) as refused:
        clients.rds.delete_db_subnet_group(DBSubnetGroupName=name)
    assert error_code(refused.value) == "InvalidDBSubnetGroupStateFault"
    with pytest.raises(ClientError) as refused:
        clients.ec2.delete_security_group(GroupId=group_id)
    assert error_code(refused.value) == "DependencyViolation"
    clients.rds.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)
    clients.rds.delete_db_subnet_group(DBSubnetGroupName=name)
    clients.ec2.delete_security_group(GroupId=group_id)


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"DBSubnetGroupName": "nowhere"}, "DBSubnetGroupNotFoundFault"),
        ({"VpcSecurityGroupIds": ["sg-0123456789abcdef0"]}, "InvalidParameterValue"),
    ],
)
def test_what_is_not_there_is_refused(clients: Clients, name: str, wrong: Any, code: str):
    with pytest.raises(ClientError) as refused:
        create(clients, name, **wrong)
    assert error_code(refused.value) == code


def test_what_a_function_is_in_stays(
    clients: Clients, local_cloud: LocalCloud, network: dict[str, Any]
):
    (group_id,) = network["VpcSecurityGroupIds"]
    group = clients.rds.describe_db_subnet_groups(DBSubnetGroupName=network["DBSubnetGroupName"])
    subnets = [each["SubnetIdentifier"] for each in group["DBSubnetGroups"][0]["Subnets"]]
    world = World(local_cloud.aws_endpoint)
    world.new_lambda(VpcConfig={"SubnetIds": subnets, "SecurityGroupIds": [group_id]})
    with pytest.raises(ClientError) as refused:
        clients.ec2.delete_security_group(GroupId=group_id)
    assert error_code(refused.value) == "DependencyViolation"
    clients.lambda_.delete_function(FunctionName=world.name)
    clients.ec2.delete_security_group(GroupId=group_id)
