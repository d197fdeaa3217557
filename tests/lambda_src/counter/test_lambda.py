"""The package in the emulator's Lambda: a process of its own, reached as the product reaches it."""

from __future__ import annotations

import json
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

from sites.provisioning.package import build
from tests.lambda_src.counter.containers import COUNTER, lambda_environment, request


def test_the_package_migrates_and_counts(clients, counter_url):
    name = f"counter-{uuid.uuid4().hex[:8]}"
    environment = lambda_environment(counter_url, str(uuid.uuid4()))
    clients.lambda_.create_function(
        FunctionName=name,
        Runtime="python3.13",
        Handler="handler.handler",
        Role="arn:aws:iam::000000000000:role/counter",
        Code={"ZipFile": build(COUNTER)},
        Timeout=10,
        Environment={
            "Variables": {k: v for k, v in environment.items() if not k.startswith("AWS_")}
        },
    )
    deadline = time.monotonic() + 120
    while (
        clients.lambda_.get_function_configuration(FunctionName=name)["State"] != "Active"
        and time.monotonic() < deadline
    ):
        pass

    def invoke(event):
        answer = clients.lambda_.invoke(FunctionName=name, Payload=json.dumps(event).encode())
        payload = answer["Payload"].read().decode()
        assert "FunctionError" not in answer, payload
        return json.loads(payload)

    assert invoke({"action": "migrate"}) == {"version": 4}
    with ThreadPoolExecutor(4) as pool:
        responses = pool.map(lambda n: invoke(request(agent=f"visitor {n}")), range(24))
    shown = [json.loads(response["body"])["visits"] for response in responses]
    assert sorted(shown) == list(range(1, 25))
    exported = invoke({"action": "export", "epoch": None, "position": None, "limit": 1000})
    of_site = {
        (kind, value): numbers
        for site, _, kind, value, *numbers in exported["rows"]
        if site == environment["SITE_UID"]
    }
    assert of_site[7, ""] == [24, 24, 24, 0]
    clients.lambda_.delete_function(FunctionName=name)
