"""``AWS::IAM::Role`` with its one inline policy: what a function may do."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cloudadmin.aws import ClientError, error_code
from sites.provisioning.documents import project
from sites.provisioning.resources.base import Resource, State, tag_dict, tag_list

if TYPE_CHECKING:
    from cloudadmin.aws import Clients

PATH = "/cloudadmin/"
POLICY_NAME = "cloudadmin"
TRUST: Any = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}
# What Lambda needs to attach to a VPC; EC2 knows no narrower resource for these.
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
NETWORK_ACTIONS = [
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
]


@dataclass(frozen=True)
class Role(Resource):
    """May write to its log group and connect to the database as one user."""

    type = "role"
    not_found = frozenset({"NoSuchEntity"})
    exists = frozenset({"EntityAlreadyExists"})
    in_use = frozenset({"DeleteConflict"})
    name: str
    permission_boundary_arn: str
    log_group_arn: str
    database_user_arn: str
    tags: dict[str, str]

    @property
    def label(self) -> str:
        return self.name

    def desired(self) -> dict[str, Any]:
        return {
            "AssumeRolePolicyDocument": TRUST,
            "PermissionsBoundary": self.permission_boundary_arn,
            "Policy": self._policy(),
            "OtherPolicies": [],
            "Tags": self.tags,
        }

    def _read(self, clients: Clients, known_id: str) -> State | None:
        role: Any = clients.iam.get_role(RoleName=self.name)["Role"]
        found = {
            "AssumeRolePolicyDocument": role["AssumeRolePolicyDocument"],
            "PermissionsBoundary": role.get("PermissionsBoundary", {}).get(
                "PermissionsBoundaryArn", ""
            ),
            "Policy": self._inline_policy(clients),
            "OtherPolicies": self._other_policies(clients),
            "Tags": tag_dict(role.get("Tags", []), self.tags),
        }
        return State(self.name, project(self.desired(), found), {"arn": role["Arn"]})

    def _inline_policy(self, clients: Clients) -> Any:
        try:
            return clients.iam.get_role_policy(RoleName=self.name, PolicyName=POLICY_NAME)[
                "PolicyDocument"
            ]
        except ClientError as error:
            if error_code(error) in self.not_found:
                return None
            raise

    def _other_policies(self, clients: Clients) -> list[str]:
        """Attached ones by their ARN, inline ones by their name."""
        attached = clients.iam.list_attached_role_policies(RoleName=self.name)["AttachedPolicies"]
        inline = clients.iam.list_role_policies(RoleName=self.name)["PolicyNames"]
        arns = [policy["PolicyArn"] for policy in attached]
        return sorted([*arns, *(name for name in inline if name != POLICY_NAME)])

    def _create(self, clients: Clients) -> str:
        wanted = self.sent()
        boundary = wanted["PermissionsBoundary"]
        clients.iam.create_role(
            RoleName=self.name,
            Path=PATH,
            AssumeRolePolicyDocument=json.dumps(wanted["AssumeRolePolicyDocument"]),
            Tags=tag_list(wanted["Tags"]),
            **({"PermissionsBoundary": boundary} if boundary else {}),
        )
        self._put_policy(clients)
        return self.name

    def _update(self, clients: Clients, current: State) -> None:
        wanted = self.sent()
        clients.iam.update_assume_role_policy(
            RoleName=self.name, PolicyDocument=json.dumps(wanted["AssumeRolePolicyDocument"])
        )
        if "PermissionsBoundary" in self.changes(current) and wanted["PermissionsBoundary"]:
            clients.iam.put_role_permissions_boundary(
                RoleName=self.name, PermissionsBoundary=wanted["PermissionsBoundary"]
            )
        clients.iam.tag_role(RoleName=self.name, Tags=tag_list(wanted["Tags"]))
        self._put_policy(clients)
        for policy in current.properties["OtherPolicies"]:
            if policy not in wanted["OtherPolicies"]:
                self._remove_policy(clients, policy)

    def _put_policy(self, clients: Clients) -> None:
        if policy := self.sent().get("Policy"):
            clients.iam.put_role_policy(
                RoleName=self.name, PolicyName=POLICY_NAME, PolicyDocument=json.dumps(policy)
            )

    def _remove_policy(self, clients: Clients, policy: str) -> None:
        if policy.startswith("arn:"):
            clients.iam.detach_role_policy(RoleName=self.name, PolicyArn=policy)
        else:
            clients.iam.delete_role_policy(RoleName=self.name, PolicyName=policy)

    def _delete(self, clients: Clients, current: State) -> None:
        inline = clients.iam.list_role_policies(RoleName=self.name)["PolicyNames"]
        for policy in {*inline, *self._other_policies(clients)}:
            self._remove_policy(clients, policy)
        clients.iam.delete_role(RoleName=self.name)

    def _policy(self) -> dict[str, Any]:
        logs = ["logs:CreateLogStream", "logs:PutLogEvents"]
        return {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Action": logs, "Resource": f"{self.log_group_arn}:*"},
                {
                    "Effect": "Allow",
                    "Action": "rds-db:connect",
                    "Resource": self.database_user_arn,
                },
                {"Effect": "Allow", "Action": NETWORK_ACTIONS, "Resource": "*"},
            ],
        }
