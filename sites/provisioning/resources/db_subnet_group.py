"""``AWS::RDS::DBSubnetGroup``: where the counters' database is, the subnets of the default VPC.

They are asked for once: RDS does not move a database within its VPC.
https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_VPC.WorkingWithRDSInstanceinaVPC.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sites.provisioning.resources.base import Resource, State, tag_list

if TYPE_CHECKING:
    from cloudadmin.aws import Clients


@dataclass(frozen=True)
class DbSubnetGroup(Resource):
    type = "db_subnet_group"
    not_found = frozenset({"DBSubnetGroupNotFoundFault"})
    exists = frozenset({"DBSubnetGroupAlreadyExists", "DBSubnetGroupAlreadyExistsFault"})
    in_use = frozenset({"InvalidDBSubnetGroupStateFault"})
    name: str
    tags: dict[str, str]

    @property
    def label(self) -> str:
        return self.name

    def _read(self, clients: Clients, known_id: str) -> State | None:
        answer = clients.rds.describe_db_subnet_groups(DBSubnetGroupName=self.name)
        group: Any = answer["DBSubnetGroups"][0]
        subnets = [subnet["SubnetIdentifier"] for subnet in group["Subnets"]]
        return State(
            self.name,
            {},
            {"arn": group["DBSubnetGroupArn"], "vpc_id": group["VpcId"], "subnet_ids": subnets},
        )

    def _create(self, clients: Clients) -> str | State:
        subnets = _default_subnets(clients)
        if not subnets:
            return State(
                "",
                ready=False,
                waiting_for=f"a default VPC, which {clients.region} of this account has not",
                todo=f"`aws ec2 create-default-vpc --region {clients.region}` makes one. Or let "
                "the counters use a database that is there: `manage.py change_account NAME "
                "--counter-host HOST`.",
            )
        clients.rds.create_db_subnet_group(
            DBSubnetGroupName=self.name,
            DBSubnetGroupDescription="Counters of cloudadmin",
            SubnetIds=subnets,
            Tags=tag_list(self.tags),
        )
        return self.name

    def _update(self, clients: Clients, current: State) -> None:
        """Nothing of it is compared."""

    def _delete(self, clients: Clients, current: State) -> None:
        clients.rds.delete_db_subnet_group(DBSubnetGroupName=self.name)


def _default_subnets(clients: Clients) -> list[str]:
    """One for each availability zone of the default VPC."""
    vpcs = clients.ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
    if not vpcs:
        return []
    filters = [
        {"Name": "vpc-id", "Values": [vpcs[0]["VpcId"]]},
        {"Name": "default-for-az", "Values": ["true"]},
    ]
    found = clients.ec2.describe_subnets(Filters=filters)["Subnets"]
    return [subnet["SubnetId"] for subnet in found]
