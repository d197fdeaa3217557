"""The way in: objects stream through whole, and nothing listens beyond this machine."""

from __future__ import annotations

import os
import socket
import subprocess

import obstore
import pytest

from cloudadmin.aws import ClientError, error_code
from tests.localcloud import http


def test_health(local_cloud):
    health = http.get(f"{local_cloud.aws_endpoint}/_localcloud/health").json()
    assert health == {"ministack": True, "edge": True, "postgres": True}


def test_a_large_object_comes_back_as_it_went(local_cloud):
    local_cloud.clients.s3.create_bucket(Bucket="large")
    store = local_cloud.clients.object_store("large")
    body = os.urandom(40 * 1024 * 1024)
    obstore.put(store, "big", body)
    assert bytes(obstore.get(store, "big").bytes()) == body


def test_half_an_upload_is_no_object(local_cloud):
    s3 = local_cloud.clients.s3
    s3.create_bucket(Bucket="half")
    with socket.create_connection(("127.0.0.1", local_cloud.aws_port)) as connection:
        connection.sendall(
            b"PUT /half/object HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n"
            b"Authorization: AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/s3/aws4_request\r\n"
            b"\r\nonly the beginning"
        )
    with pytest.raises(ClientError) as missing:
        s3.head_object(Bucket="half", Key="object")
    assert error_code(missing.value) == "404"
    s3.put_object(Bucket="half", Key="object", Body=b"the connection pool is unharmed")


def test_everything_listens_on_loopback_alone(local_cloud):
    children = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(local_cloud.process.pid)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    listening = set()
    for pid in (str(local_cloud.process.pid), *children):
        sockets = {os.readlink(f.path) for f in os.scandir(f"/proc/{pid}/fd") if f.is_symlink()}
        with open(f"/proc/{pid}/net/tcp") as table:
            for line in table.readlines()[1:]:
                fields = line.split()
                if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
                    listening.add(fields[1].split(":")[0])
    assert listening == {"0100007F"}
