"""``AWS::IAM::ManagedPolicy``: the most that the role of any function of ours may ever do."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sites.provisioning.resources.base import Resource, State, tag_list

if TYPE_CHECKING:
    from cloudadmin.aws import Clients


@dataclass(frozen=True)
class PermissionBoundary(Resource):
    type = "permission_boundary"
    not_found = frozenset({"NoSuchEntity"})
    exists = frozenset({"EntityAlreadyExists"})
    in_use = frozenset({"DeleteConflict"})
    name: str
    account_id: str
    tags: dict[str, str]

    @property
    def label(self) -> str:
        return self.name

    @property
    def arn(self) -> str:
        return f"arn:aws:iam::{self.account_id}:policy/{self.name}"

    def desired(self) -> dict[str, Any]:
        return {"Document": self._document()}

    def _read(self, clients: Clients, known_id: str) -> State | None:
        policy = clients.iam.get_policy(PolicyArn=self.arn)["Policy"]
        version = clients.iam.get_policy_version(
            PolicyArn=self.arn, VersionId=policy["DefaultVersionId"]
        )["PolicyVersion"]
        document: Any = version["Document"]
        if isinstance(document, str):
            document = json.loads(document)
        return State(self.arn, {"Document": document}, {"arn": self.arn})

    def _create(self, clients: Clients) -> str:
        clients.iam.create_policy(
            PolicyName=self.name,
            Description="The most that functions of cloudadmin's sites may do",
            PolicyDocument=json.dumps(self.sent()["Document"]),
            Tags=tag_list(self.tags),
        )
        return self.arn

    def _update(self, clients: Clients, current: State) -> None:
        self._delete_old_versions(clients)
        clients.iam.create_policy_version(
            PolicyArn=self.arn,
            PolicyDocument=json.dumps(self.sent()["Document"]),
            SetAsDefault=True,
        )

    def _delete(self, clients: Clients, current: State) -> None:
        self._delete_old_versions(clients)
        clients.iam.delete_policy(PolicyArn=self.arn)

    def _delete_old_versions(self, clients: Clients) -> None:
        # A policy has five versions at most, and goes only when one is left.
        for version in clients.iam.list_policy_versions(PolicyArn=self.arn)["Versions"]:
            if not version["IsDefaultVersion"]:
                clients.iam.delete_policy_version(
                    PolicyArn=self.arn, VersionId=version["VersionId"]
                )

    def _document(self) -> dict[str, Any]:
        account = self.account_id
        logs = f"arn:aws:logs:*:{account}:log-group:/aws/lambda/cloudadmin-*"
        return {
            "Version": "2012-10-17",
            "Statement": [
                _allow("Logs", ["logs:CreateLogStream", "logs:PutLogEvents"], f"{logs}:*"),
                _allow("Database", ["rds-db:connect"], f"arn:aws:rds-db:*:{account}:dbuser:*/*"),
                _allow(
                    "Data", ["s3:GetObject", "s3:PutObject"], "arn:aws:s3:::cloudadmin-*/data/*"
                ),
                _allow(
                    "Invalidate",
                    ["cloudfront:CreateInvalidation"],
                    f"arn:aws:cloudfront::{account}:distribution/*",
                ),
                # What Lambda needs to attach to a VPC; EC2 knows no narrower resource for these.
                # https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
                _allow(
                    "Network",
                    [
                        "ec2:CreateNetworkInterface",
                        "ec2:DeleteNetworkInterface",
                        "ec2:DescribeNetworkInterfaces",
                        "ec2:DescribeSubnets",
                        "ec2:AssignPrivateIpAddresses",
                        "ec2:UnassignPrivateIpAddresses",
                    ],
                    "*",
                ),
            ],
        }


def _allow(sid: str, actions: list[str], resource: str) -> dict[str, Any]:
    return {"Sid": sid, "Effect": "Allow", "Action": sorted(actions), "Resource": resource}
