"""``AWS::RDS::DBInstance``: the counters of all the account's sites, in one small PostgreSQL."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from sites.provisioning.resources.base import Resource, State, tag_dict, tag_list

if TYPE_CHECKING:
    from cloudadmin.aws import Clients

BACKUP_DAYS = 7
FAILED = frozenset({"failed", "incompatible-create", "incompatible-network", "restore-error"})


@dataclass(frozen=True)
class DbInstance(Resource):
    """Without a subnet group and security groups it is in the VPC's default ones."""

    type = "db_instance"
    keeps_data = True
    usual_wait = 400
    not_found = frozenset({"DBInstanceNotFound", "DBInstanceNotFoundFault"})
    exists = frozenset({"DBInstanceAlreadyExists"})
    busy = frozenset({"InvalidDBInstanceState"})
    name: str
    database_name: str
    user: str
    tags: dict[str, str]
    deletion_protection: bool = True
    subnet_group_name: str = ""
    security_group_ids: list[str] = field(default_factory=list)

    @property
    def label(self) -> str:
        return self.name

    def desired(self) -> dict[str, Any]:
        groups = self.security_group_ids
        return {
            "BackupRetentionPeriod": BACKUP_DAYS,
            "DeletionProtection": self.deletion_protection,
            "IAMDatabaseAuthenticationEnabled": True,
            "PubliclyAccessible": False,
            "Tags": self.tags,
            **({"VpcSecurityGroupIds": groups} if groups else {}),
        }

    def _read(self, clients: Clients, known_id: str) -> State | None:
        answer = clients.rds.describe_db_instances(DBInstanceIdentifier=self.name)
        instance: Any = answer["DBInstances"][0]
        status = instance["DBInstanceStatus"]
        return State(
            self.name,
            {
                "BackupRetentionPeriod": instance["BackupRetentionPeriod"],
                "DeletionProtection": instance["DeletionProtection"],
                "IAMDatabaseAuthenticationEnabled": instance["IAMDatabaseAuthenticationEnabled"],
                "PubliclyAccessible": instance["PubliclyAccessible"],
                "Tags": tag_dict(instance.get("TagList", []), self.tags),
                "VpcSecurityGroupIds": security_groups_of(instance),
            },
            _attributes(instance),
            aws_status=status,
            # A running one that changes or backs itself up still serves; one without an address
            # is not running yet.
            ready=status not in FAILED | {"creating", "deleting"} and "Endpoint" in instance,
            waiting_for="RDS to start the database, which takes about 5 minutes",
            failure=f"RDS reports the database as {status}" if status in FAILED else "",
        )

    def _create(self, clients: Clients) -> str:
        wanted = self.sent()
        network: Any = _security_groups(wanted)
        if self.subnet_group_name:
            network["DBSubnetGroupName"] = self.subnet_group_name
        clients.rds.create_db_instance(
            DBInstanceIdentifier=self.name,
            Engine="postgres",
            DBInstanceClass="db.t4g.micro",
            AllocatedStorage=20,
            StorageType="gp3",
            StorageEncrypted=True,
            DBName=self.database_name,
            MasterUsername=self.user,
            # No password exists: functions connect with a token that their role signs.
            # https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html
            MasterUserAuthenticationType="iam-db-auth",
            EnableIAMDatabaseAuthentication=wanted["IAMDatabaseAuthenticationEnabled"],
            PubliclyAccessible=wanted["PubliclyAccessible"],
            DeletionProtection=wanted["DeletionProtection"],
            BackupRetentionPeriod=wanted["BackupRetentionPeriod"],
            CopyTagsToSnapshot=True,
            Tags=tag_list(wanted["Tags"]),
            **network,
        )
        return self.name

    def _update(self, clients: Clients, current: State) -> None:
        wanted = self.sent()
        clients.rds.modify_db_instance(
            DBInstanceIdentifier=self.name,
            BackupRetentionPeriod=wanted["BackupRetentionPeriod"],
            DeletionProtection=wanted["DeletionProtection"],
            EnableIAMDatabaseAuthentication=wanted["IAMDatabaseAuthenticationEnabled"],
            PubliclyAccessible=wanted["PubliclyAccessible"],
            ApplyImmediately=True,
            **_security_groups(wanted),
        )
        clients.rds.add_tags_to_resource(
            ResourceName=current.attributes["arn"], Tags=tag_list(wanted["Tags"])
        )

    def _delete(self, clients: Clients, current: State) -> State | None:
        """Leaves a final snapshot: counters cannot be counted again."""
        if current.aws_status == "deleting":
            return replace(current, ready=False, waiting_for="RDS to delete the database")
        if current.properties["DeletionProtection"]:
            clients.rds.modify_db_instance(
                DBInstanceIdentifier=self.name, DeletionProtection=False, ApplyImmediately=True
            )
            # Deleted before that holds, it would be refused for good.
            return replace(current, ready=False, waiting_for="RDS to lift the deletion protection")
        resource_id = current.attributes["resource_id"].lower()
        clients.rds.delete_db_instance(
            DBInstanceIdentifier=self.name,
            FinalDBSnapshotIdentifier=f"{self.name}-{resource_id}",
            DeleteAutomatedBackups=True,
        )
        remains = self.read(clients)
        return remains and replace(
            remains, ready=False, waiting_for="RDS to save a final snapshot, then delete it"
        )


def security_groups_of(instance: Any) -> list[str]:
    return [group["VpcSecurityGroupId"] for group in instance.get("VpcSecurityGroups", [])]


def _security_groups(wanted: dict[str, Any]) -> dict[str, Any]:
    groups = wanted.get("VpcSecurityGroupIds")
    return {"VpcSecurityGroupIds": [*groups]} if groups else {}


def _attributes(instance: Any) -> dict[str, Any]:
    """What a function needs to reach it; no address as long as it has none."""
    network = instance.get("DBSubnetGroup", {}).get("Subnets", [])
    attributes = {
        "arn": instance["DBInstanceArn"],
        "resource_id": instance["DbiResourceId"],
        "database_name": instance["DBName"],
        "user": instance["MasterUsername"],
        "subnet_ids": [subnet["SubnetIdentifier"] for subnet in network],
        "security_group_ids": security_groups_of(instance),
    }
    if endpoint := instance.get("Endpoint"):
        attributes["endpoint_address"] = endpoint["Address"]
        attributes["endpoint_port"] = endpoint["Port"]
    return attributes
