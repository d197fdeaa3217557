"""What Lambda's own answers mean; they are rare, so they are stubbed."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.response import StreamingBody
from botocore.stub import Stubber

from cloudadmin.aws import ClientError
from sites.provisioning.resources import CounterSchema, LambdaFunction
from sites.provisioning.resources.base import State

FUNCTION = LambdaFunction(
    "f", "arn:aws:iam::000000000000:role/r", "bucket", "key", "sha", {}, {}, [], []
)


@pytest.fixture
def stub() -> Iterator[Stubber]:
    yield from stubbed("lambda")


@pytest.fixture
def rds() -> Iterator[Stubber]:
    yield from stubbed("rds")


def stubbed(service: Any) -> Iterator[Stubber]:
    client = boto3.client(
        service,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.fixture
def clients(stub: Stubber, rds: Stubber) -> Any:
    return SimpleNamespace(lambda_=stub.client, rds=rds.client)


def answer(payload: dict, **more: Any) -> dict:
    body = json.dumps(payload).encode()
    return {"Payload": StreamingBody(io.BytesIO(body), len(body)), **more}


def unreachable() -> dict:
    return answer({"errorMessage": "connection timed out"}, FunctionError="Unhandled")


def configuration(**fields: Any) -> dict:
    return {"Configuration": {"FunctionArn": "arn:aws:lambda:us-east-1:1:function:f", **fields}}


@pytest.mark.parametrize(
    ("subnets", "message"),
    [
        ([], "The role defined for the function cannot be assumed by Lambda."),
        (
            ["subnet-1"],
            "The provided execution role does not have permissions to call "
            "CreateNetworkInterface on EC2",
        ),
    ],
)
def test_create_waits_for_a_new_role(stub: Stubber, clients, subnets, message):
    stub.add_client_error("create_function", "InvalidParameterValueException", message)
    state = replace(FUNCTION, subnet_ids=subnets).create(clients)
    assert state.physical_id == ""
    assert state.waiting_for == "IAM to let Lambda use the new role"


def test_update_waits_while_lambda_is_busy(stub: Stubber, clients):
    stub.add_response("get_function", configuration(State="Active", CodeSha256="old"))
    current = FUNCTION.read(clients)
    assert current is not None
    stub.add_client_error("update_function_code", "ResourceConflictException")
    state = FUNCTION.update(clients, current)
    assert not state.ready
    assert state.waiting_for == "AWS to finish an earlier change"


def test_update_that_lambda_is_done_with_at_once_waits_for_the_next_change(stub: Stubber, clients):
    stub.add_response("get_function", configuration(State="Active", CodeSha256="old", Timeout=3))
    current = FUNCTION.read(clients)
    assert current is not None
    stub.add_response("update_function_code", {})
    stub.add_response("get_function", configuration(State="Active", CodeSha256="sha", Timeout=3))
    state = FUNCTION.update(clients, current)
    assert not state.ready
    assert state.waiting_for == "the next look, to make the next change"


def test_read_tells_that_lambda_gave_up(stub: Stubber, clients):
    stub.add_response(
        "get_function", configuration(State="Failed", StateReason="no address left in the subnet")
    )
    state = FUNCTION.read(clients)
    assert state is not None
    assert state.failure == "Lambda gave up: no address left in the subnet"


RESERVING = replace(FUNCTION, reserved_concurrency=5)
WHOLE: dict[str, Any] = {
    "State": "Active",
    "CodeSha256": "sha",
    "Role": FUNCTION.role_arn,
    "Runtime": FUNCTION.runtime,
    "Handler": FUNCTION.handler,
    "Timeout": FUNCTION.timeout,
    "MemorySize": FUNCTION.memory_size,
}


def room(stub: Stubber, unreserved: int) -> None:
    limit = {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": unreserved}
    stub.add_response("get_account_settings", {"AccountLimit": limit})


@pytest.mark.parametrize(("unreserved", "is_wanted"), [(10, False), (104, False), (105, True)])
def test_executions_are_reserved_where_the_account_has_room(
    stub: Stubber, clients, unreserved, is_wanted
):
    stub.add_response("get_function", configuration(**WHOLE))
    room(stub, unreserved)
    found = RESERVING.read(clients)
    assert found is not None
    expected = {"ReservedConcurrentExecutions": (None, 5)} if is_wanted else {}
    assert RESERVING.changes(found) == expected


def reserved(executions: int) -> dict[str, Any]:
    concurrency = {"ReservedConcurrentExecutions": executions}
    return {**configuration(**WHOLE), "Concurrency": concurrency}


@pytest.mark.parametrize("executions", [5, 7])
def test_what_is_reserved_is_compared_without_asking_for_room(stub: Stubber, clients, executions):
    stub.add_response("get_function", reserved(executions))
    found = RESERVING.read(clients)
    assert found is not None
    assert bool(RESERVING.changes(found)) == (executions != 5)


@pytest.mark.parametrize(
    ("executions", "unreserved", "is_wanted"),
    [(0, 104, False), (0, 105, True), (3, 101, False), (3, 102, True)],
)
def test_more_is_reserved_where_the_account_has_room_for_it(
    stub: Stubber, clients, executions, unreserved, is_wanted
):
    stub.add_response("get_function", reserved(executions))
    room(stub, unreserved)
    found = RESERVING.read(clients)
    assert found is not None
    expected = {"ReservedConcurrentExecutions": (executions, 5)} if is_wanted else {}
    assert RESERVING.changes(found) == expected
    assert found.attributes["reserved"] == executions


def test_a_reservation_comes_last_and_its_refusal_is_no_failure(stub: Stubber, clients):
    wanted = replace(RESERVING, timeout=15)
    stub.add_response("get_function", reserved(3))
    room(stub, 102)
    found = wanted.read(clients)
    assert found is not None
    stub.add_response("update_function_configuration", {})
    stub.add_response("get_function", reserved(3))
    room(stub, 102)
    assert not wanted.update(clients, found).ready
    stub.add_client_error(
        "put_function_concurrency",
        "InvalidParameterValueException",
        "Specified ReservedConcurrentExecutions for function decreases account's "
        "UnreservedConcurrentExecution below its minimum value of [100].",
    )
    found = replace(found, properties={**found.properties, "Timeout": 15})
    assert wanted.update(clients, found) == found
    assert found.ready


def test_another_refusal_of_a_reservation_is_a_failure(stub: Stubber, clients):
    stub.add_response("get_function", reserved(7))
    found = RESERVING.read(clients)
    assert found is not None
    stub.add_client_error("put_function_concurrency", "InvalidParameterValueException", "no")
    with pytest.raises(ClientError):
        RESERVING.update(clients, found)


def test_a_function_that_is_made_at_once_waits_for_its_reservation(stub: Stubber, clients):
    stub.add_response("create_function", {})
    stub.add_response("get_function", configuration(**WHOLE))
    room(stub, 1000)
    made = RESERVING.create(clients)
    assert (made.ready, made.waiting_for) == (False, "the next look, to make the next change")
    stub.add_response(
        "put_function_concurrency",
        {},
        {"FunctionName": "f", "ReservedConcurrentExecutions": 5},
    )
    stub.add_response("get_function", reserved(5))
    assert RESERVING.update(clients, made).ready


def test_schema_waits_until_the_database_answers(stub: Stubber, clients):
    stub.add_response("invoke", unreachable())
    state = CounterSchema("f").create(clients)
    assert not state.ready
    assert state.waiting_for.endswith("reach its database: connection timed out")


def test_schema_that_was_made_is_known_while_its_database_does_not_answer(stub: Stubber, clients):
    schema = CounterSchema("f")
    stub.add_response("invoke", unreachable())
    state = schema.read(clients, "version 1")
    assert state is not None
    assert (state.physical_id, state.ready) == ("version 1", False)
    assert schema.changes(state) == {}


@pytest.mark.parametrize(
    ("instances", "is_gone"),
    [
        ([{"Endpoint": {"Address": "db.example"}}], False),
        ([{"DBInstanceStatus": "creating"}], False),
        ([{"Endpoint": {"Address": "other.example"}}], True),
        ([], True),
    ],
)
def test_rows_are_gone_with_their_database_alone(stub: Stubber, clients, rds, instances, is_gone):
    stub.add_response("invoke", unreachable())
    environment = {"Variables": {"DATABASE_HOST": "db.example"}}
    stub.add_response("get_function", configuration(Environment=environment))
    rds.add_response("describe_db_instances", {"DBInstances": instances})
    remains = CounterSchema("f").delete(clients, State("version 1"))
    assert (remains is None) == is_gone
    if remains:
        assert (remains.physical_id, remains.ready) == ("version 1", False)
        assert remains.todo.endswith("delete the function f in Lambda.")


def test_schema_that_is_behind_its_code_is_migrated(stub: Stubber, clients):
    schema = CounterSchema("f")
    stub.add_response("invoke", answer({"version": 1, "latest": 2}))
    behind = schema.read(clients)
    assert behind is not None
    assert schema.changes(behind) == {"is_latest": (False, True)}
    stub.add_response("invoke", answer({"version": 2}))
    stub.add_response("invoke", answer({"version": 2, "latest": 2}))
    assert schema.changes(schema.update(clients, behind)) == {}


def test_a_migration_that_failed_is_not_taken_for_done(stub: Stubber, clients):
    behind = State("version 1", {"is_latest": False})
    stub.add_response("invoke", answer({"errorMessage": "lock timeout"}, FunctionError="Unhandled"))
    state = CounterSchema("f").update(clients, behind)
    assert (state.physical_id, state.ready) == ("version 1", False)
    assert state.waiting_for.endswith("lock timeout")


def test_schema_of_a_function_that_is_gone_is_gone(stub: Stubber, clients):
    stub.add_client_error("invoke", "ResourceNotFoundException")
    assert CounterSchema("f").read(clients) is None
