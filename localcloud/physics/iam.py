"""IAM: what a trust policy may say, what stays while it is used, and how long policies are.

A role that was just made is not known everywhere yet; Lambda asks.
https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass

from localcloud.durations import Clock
from localcloud.physics import Forward
from localcloud.physics.policies import Principals, trust_problem
from localcloud.reader import Reader
from localcloud.wire import Answer, Call, xml_error


@dataclass(frozen=True)
class Document:
    """A policy in the ``field`` of a call; ``limit`` in characters without white space."""

    field: str
    limit: int
    message: str
    is_trust: bool = False

    def refuse_long(self, call: Call) -> Answer | None:
        text = re.sub(r"\s", "", call.form.get(self.field, ""))
        if len(text) <= self.limit:
            return None
        message = self.message.format(limit=self.limit, role=call.form.get("RoleName", ""))
        return xml_error("LimitExceeded", message, 409)


TRUST = "Cannot exceed quota for ACLSizePerRole: {limit}"
MANAGED = "Cannot exceed quota for PolicySize: {limit}"
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html#reference_iam-quotas-entity-length
DOCUMENTS: Mapping[str, Document] = {
    "CreateRole": Document("AssumeRolePolicyDocument", 2048, TRUST, is_trust=True),
    "UpdateAssumeRolePolicy": Document("PolicyDocument", 2048, TRUST, is_trust=True),
    "CreatePolicy": Document("PolicyDocument", 6144, MANAGED),
    "CreatePolicyVersion": Document("PolicyDocument", 6144, MANAGED),
    "PutRolePolicy": Document(
        "PolicyDocument", 10_240, "Maximum policy size of {limit} bytes exceeded for role {role}"
    ),
}


class Iam:
    def __init__(self, reader: Reader, clock: Clock) -> None:
        self.iam = reader.iam
        self.exists = Principals(reader)
        self.clock = clock

    async def __call__(self, call: Call, forward: Forward) -> Answer:
        if refusal := await asyncio.to_thread(self._refuse, call):
            return refusal
        answer = await forward(call)
        if answer.ok and call.action == "CreateRole":
            self.clock.begin("role", call.form["RoleName"])
        return answer

    def _refuse(self, call: Call) -> Answer | None:
        if call.action == "DeletePolicy":
            return self._refuse_used(call.form.get("PolicyArn", ""))
        document = DOCUMENTS.get(call.action)
        if document is None:
            return None
        if document.is_trust:
            problem = trust_problem(call.form.get(document.field, ""), self.exists)
            if problem:
                return xml_error("MalformedPolicyDocument", problem)
        return document.refuse_long(call)

    def _refuse_used(self, arn: str) -> Answer | None:
        """For the delete of a policy that is a boundary, or that has old versions."""
        try:
            policy = self.iam.get_policy(PolicyArn=arn)["Policy"]
            versions = self.iam.list_policy_versions(PolicyArn=arn)["Versions"]
        except self.iam.exceptions.ClientError:
            return None  # MiniStack says what is wrong
        if policy.get("PermissionsBoundaryUsageCount"):
            return xml_error("DeleteConflict", "Cannot delete a policy attached to entities.", 409)
        if len(versions) > 1:
            return xml_error(
                "DeleteConflict",
                "This policy has more than one version. Before you delete a policy, you must "
                "delete the policy's versions. The default version is deleted with the policy.",
                409,
            )
        return None
