"""What is sent, against AWS's own SDK: an emulator takes any signature."""

from io import BytesIO

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudadmin.aws import BucketAddress
from deployments.puts import Puts
from tests.deployments.receiver import receiving

SHA256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
# What headers.py lets pass, and what a file system has.
PRINTABLE = [chr(c) for c in range(0x20, 0x7F)]
VALUES = st.text(PRINTABLE, max_size=40).map("<{}>".format)
# All of ASCII, and of the rest what is composed, right to left, joined or beyond 16 bits.
NAMES = st.text(
    [chr(c) for c in range(1, 0x80) if chr(c) != "/"] + [*"\x85ée\u0301ß€\u2028\u200dمש日😀"],
    min_size=1,
    max_size=20,
).filter(lambda name: name not in (".", ".."))
KEYS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)


class Abc:
    size, sha256 = 3, SHA256

    def __init__(self):
        self.stream = BytesIO(b"abc")
        self.read, self.close = self.stream.read, self.stream.close

    def rewind(self):
        self.stream.seek(0)


@pytest.fixture(scope="module")
def server():
    with receiving() as server:
        server.reply = lambda request: (200, {}, b"")
        yield server


def sent(server, key, headers, credentials):
    server.requests.clear()
    address = BucketAddress(f"{server.url}/b", "eu-west-1", credentials.get_frozen_credentials)
    puts: Puts[str] = Puts(address)
    puts.start("it", key, headers, Abc())
    [put] = puts.wait(60)
    puts.close()
    assert (put.tag, put.refusal) == ("it", None)
    [request] = server.requests
    return request


def signature_of_aws(request, server, credentials):
    """Of what arrived, by botocore."""
    signed = request.headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0]
    headers = {name: request.headers[name] for name in signed.split(";")}
    again = AWSRequest("PUT", server.url + request.path, headers, b"abc")
    again.context["timestamp"] = headers["x-amz-date"]
    auth = S3SigV4Auth(credentials, "s3", "eu-west-1")
    canonical = auth.canonical_request(again)
    return auth.signature(auth.string_to_sign(again, canonical), again)


@settings(deadline=None)  # a request, which may wait for a busy machine
@given(KEYS, VALUES, VALUES, st.sampled_from([None, "a+token/with=signs"]))
def test_it_is_signed_as_aws_signs(server, key, language, value, token):
    credentials = Credentials("AKID", "se/cr+et:", token)
    headers = {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Language": language,
        "x-amz-meta-headers": value,
    }
    request = sent(server, key, headers, credentials)
    told = request.headers["authorization"]
    assert told.endswith(f"Signature={signature_of_aws(request, server, credentials)}")
    for name in (*headers, "x-amz-content-sha256", "x-amz-date", "host"):
        assert name.lower() in told
    assert request.headers["x-amz-content-sha256"] == SHA256
    assert request.headers.get("x-amz-security-token") == token
    assert request.body == b"abc"
    assert {name: request.headers[name.lower()] for name in headers} == headers
