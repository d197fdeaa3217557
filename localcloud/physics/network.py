"""Where databases and functions are: what does not exist is refused, what is in use stays."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from localcloud.physics import Forward, Rule
from localcloud.reader import Reader
from localcloud.wire import Answer, Call, ec2_error, xml_error

GROUP_IDS = "VpcSecurityGroupIds."


class SecurityGroups:
    """EC2's rule: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteSecurityGroup.html"""

    def __init__(self, reader: Reader) -> None:
        self.lambda_, self.rds = reader.lambda_, reader.client("rds")

    async def __call__(self, call: Call, forward: Forward) -> Answer:
        if call.action == "DeleteSecurityGroup":
            group_id = call.form.get("GroupId", "")
            if group_id in await asyncio.to_thread(lambda: {*self._in_use()}):
                message = f"resource {group_id} has a dependent object"
                return ec2_error("DependencyViolation", message)
        return await forward(call)

    def _in_use(self) -> Iterator[str]:
        for page in self.lambda_.get_paginator("list_functions").paginate():
            for function in page["Functions"]:
                yield from function.get("VpcConfig", {}).get("SecurityGroupIds", [])
        for instance in self.rds.describe_db_instances()["DBInstances"]:
            yield from (group["VpcSecurityGroupId"] for group in instance["VpcSecurityGroups"])


class SubnetGroups:
    """Before the rules of RDS, those of a database's network.

    https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DeleteDBSubnetGroup.html
    """

    def __init__(self, rule: Rule, reader: Reader) -> None:
        self.rule = rule
        self.rds, self.ec2 = reader.client("rds"), reader.client("ec2")

    async def __call__(self, call: Call, forward: Forward) -> Answer:
        if refusal := await asyncio.to_thread(self._refuse, call):
            return refusal
        return await self.rule(call, forward)

    def _refuse(self, call: Call) -> Answer | None:
        asked = call.form
        name = asked.get("DBSubnetGroupName", "")
        groups = {value for key, value in asked.items() if key.startswith(GROUP_IDS)}
        if call.action == "DeleteDBSubnetGroup":
            return self._refuse_in_use(name)
        if call.action == "CreateDBInstance" and name not in ("", "default", *self._names()):
            message = f"DB subnet group '{name}' does not exist."
            return xml_error("DBSubnetGroupNotFoundFault", message, 404)
        if unknown := groups and groups.difference(self._group_ids()):
            message = f"Invalid security group , groupId= {min(unknown)}, groupName=."
            return xml_error("InvalidParameterValue", message)
        return None

    def _refuse_in_use(self, name: str) -> Answer | None:
        for instance in self.rds.describe_db_instances()["DBInstances"]:
            if instance["DBSubnetGroup"]["DBSubnetGroupName"] == name:
                return xml_error(
                    "InvalidDBSubnetGroupStateFault",
                    f"Cannot delete the subnet group '{name}' because at least one database "
                    f"instance: {instance['DBInstanceIdentifier']} is still using it.",
                )
        return None

    def _names(self) -> Iterator[str]:
        groups: Any = self.rds.describe_db_subnet_groups()["DBSubnetGroups"]
        return (group["DBSubnetGroupName"] for group in groups)

    def _group_ids(self) -> Iterator[str]:
        groups: Any = self.ec2.describe_security_groups()["SecurityGroups"]
        return (group["GroupId"] for group in groups)
