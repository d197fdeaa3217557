"""``AWS::Lambda::Function``: a function's code, settings and role."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from cloudadmin.aws import ClientError, error_code
from sites.provisioning.resources.base import Resource, State

if TYPE_CHECKING:
    from cloudadmin.aws import Clients

RESERVED = "ReservedConcurrentExecutions"
# What AWS keeps for functions without a reservation. A new account runs ten at once in all, so it
# has nothing to reserve.
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
UNRESERVED = 100


@dataclass(frozen=True)
class LambdaFunction(Resource):
    """``code_sha256`` is Lambda's own digest of the zip: base64.

    ``timeout`` is in seconds, ``memory_size`` in MB. Without subnets it is outside of any VPC.
    ``reserved_concurrency`` is how many run at once, at most and for certain; 0 leaves that open.
    An account without room for it stays with what is reserved: it is no difference then, and comes
    when there is.
    """

    type = "lambda_function"
    not_found = frozenset({"ResourceNotFoundException"})
    exists = frozenset({"ResourceConflictException"})
    busy = frozenset({"ResourceConflictException"})
    usual_wait = 30
    name: str
    role_arn: str
    bucket_name: str
    key: str
    code_sha256: str
    environment: dict[str, str]
    tags: dict[str, str]
    subnet_ids: list[str]
    security_group_ids: list[str]
    runtime: str = "python3.13"
    handler: str = "handler.handler"
    timeout: int = 5
    memory_size: int = 256
    reserved_concurrency: int = 0

    @property
    def label(self) -> str:
        return self.name

    def desired(self) -> dict[str, Any]:
        return {
            "CodeSha256": self.code_sha256,
            "Role": self.role_arn,
            "Runtime": self.runtime,
            "Handler": self.handler,
            "Timeout": self.timeout,
            "MemorySize": self.memory_size,
            "Environment": self.environment,
            "SubnetIds": self.subnet_ids,
            "SecurityGroupIds": self.security_group_ids,
            "Tags": self.tags,
            **({RESERVED: self.reserved_concurrency} if self.reserved_concurrency else {}),
        }

    def _read(self, clients: Clients, known_id: str) -> State | None:
        function: Any = clients.lambda_.get_function(FunctionName=self.name)
        config = function["Configuration"]
        network = config.get("VpcConfig", {})
        found = config | {
            "Environment": config.get("Environment", {}).get("Variables", {}),
            "SubnetIds": network.get("SubnetIds", []),
            "SecurityGroupIds": network.get("SecurityGroupIds", []),
            "Tags": {
                key: value for key, value in function.get("Tags", {}).items() if key in self.tags
            },
            **function.get("Concurrency", {}),
        }
        properties = {key: found.get(key) for key in self.desired()}
        if not self._can_reserve(clients, found):
            properties.pop(RESERVED, None)
        state, update = config.get("State", "Active"), config.get("LastUpdateStatus", "Successful")
        reason = config.get("StateReason") or config.get("LastUpdateStatusReason") or ""
        return State(
            self.name,
            properties,
            {"arn": config["FunctionArn"], "reserved": found.get(RESERVED)},
            aws_status=state if state != "Active" or update == "Successful" else update,
            # An idle function of a VPC wakes up at its next call.
            ready=state in ("Active", "Inactive") and update == "Successful",
            waiting_for="Lambda to get the function ready, which takes up to a minute",
            failure=f"Lambda gave up: {reason}" if "Failed" in (state, update) else "",
        )

    def _can_reserve(self, clients: Clients, found: Any) -> bool:
        more: int = self.reserved_concurrency - found.get(RESERVED, 0)
        return more <= 0 or room_to_reserve(clients) >= more

    def _create(self, clients: Clients) -> str | State:
        try:
            clients.lambda_.create_function(
                FunctionName=self.name,
                Architectures=["arm64"],
                Code={"S3Bucket": self.bucket_name, "S3Key": self.key},
                Tags=self.sent()["Tags"],
                **self._settings(),
            )
        except ClientError as error:
            if not _role_is_too_new(error):
                raise
            return State("", ready=False, waiting_for="IAM to let Lambda use the new role")
        return self.name

    def create(self, clients: Clients) -> State:
        return self._until_whole(super().create(clients))

    def update(self, clients: Clients, current: State) -> State:
        try:
            return self._until_whole(super().update(clients, current))
        except ClientError as error:
            if not _has_no_room(error):
                raise
            # It was the last change, so the function is whole without.
            return current

    def _until_whole(self, state: State) -> State:
        if not state.ready or not self.changes(state):
            return state
        return replace(state, ready=False, waiting_for="the next look, to make the next change")

    def _update(self, clients: Clients, current: State) -> None:
        """One change at a time: Lambda is busy after each, so the next pass makes the next.

        The reservation comes last, for Lambda may refuse it.
        """
        changes = self.changes(current)
        if "CodeSha256" in changes:
            clients.lambda_.update_function_code(
                FunctionName=self.name, S3Bucket=self.bucket_name, S3Key=self.key
            )
        elif changes.keys() == {RESERVED}:
            clients.lambda_.put_function_concurrency(
                FunctionName=self.name, ReservedConcurrentExecutions=self.sent()[RESERVED]
            )
        elif all(path.startswith(("Tags", RESERVED)) for path in changes):
            clients.lambda_.tag_resource(
                Resource=current.attributes["arn"], Tags=self.sent()["Tags"]
            )
        else:
            clients.lambda_.update_function_configuration(
                FunctionName=self.name, **self._settings()
            )

    def _delete(self, clients: Clients, current: State) -> None:
        clients.lambda_.delete_function(FunctionName=self.name)

    def _settings(self) -> Any:
        wanted = self.sent()
        network = ("SubnetIds", "SecurityGroupIds")
        return {
            **{name: wanted[name] for name in ("Role", "Runtime", "Handler", "Timeout")},
            "MemorySize": wanted["MemorySize"],
            "Environment": {"Variables": wanted["Environment"]},
            "VpcConfig": {name: [*wanted[name]] for name in network},
        }


def room_to_reserve(clients: Clients) -> int:
    """How many executions at once the account has left to reserve."""
    limit = clients.lambda_.get_account_settings()["AccountLimit"]
    return limit["UnreservedConcurrentExecutions"] - UNRESERVED


def _has_no_room(error: ClientError) -> bool:
    # Another function took it since it was asked for, or AWS keeps more than it says.
    message = error.response.get("Error", {}).get("Message", "")
    return (
        error_code(error) == "InvalidParameterValueException"
        and "UnreservedConcurrentExecution" in message
    )


def _role_is_too_new(error: ClientError) -> bool:
    # IAM takes seconds to spread a role; Lambda calls that an invalid parameter.
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html
    # In a VPC it may be the role's policy that is not known yet, which is worded otherwise.
    # https://github.com/hashicorp/terraform/issues/15067
    message = error.response.get("Error", {}).get("Message", "")
    return error_code(error) == "InvalidParameterValueException" and any(
        words in message for words in ("assume", "execution role does not have permissions")
    )
