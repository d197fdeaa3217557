"""AWS's wire: what a request asks for, and answers in the shape each service speaks.

Shapes: https://smithy.io/2.0/aws/protocols/index.html
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import parse_qs, unquote
from xml.etree import ElementTree
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape

CREDENTIAL = re.compile(r"Credential=[^,\s]*/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request")


@dataclass
class Call:
    """One request to an AWS service. ``headers`` are lower-cased; ``body`` is all of it."""

    method: str
    path: str
    query_string: str
    headers: Mapping[str, str]
    body: bytes = b""

    @classmethod
    def of(cls, scope: Mapping[str, Any]) -> Call:
        """From an ASGI scope, without the body."""
        return cls(
            scope["method"],
            scope["raw_path"].decode("latin-1"),
            scope["query_string"].decode("latin-1"),
            {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]},
        )

    @property
    def is_form(self) -> bool:
        """Whether this is a call of the query protocol."""
        kind = self.headers.get("content-type", "")
        return self.service != "s3" and kind.startswith("application/x-www-form-urlencoded")

    @cached_property
    def service(self) -> str:
        """The signing name, such as ``cloudfront``; empty when the request is not signed."""
        found = CREDENTIAL.search(self.headers.get("authorization", ""))
        return found[2] if found else ""

    @property
    def region(self) -> str:
        """The region it was signed for; empty when it is not signed."""
        found = CREDENTIAL.search(self.headers.get("authorization", ""))
        return found[1] if found else ""

    @cached_property
    def query(self) -> dict[str, str]:
        parsed = parse_qs(self.query_string, keep_blank_values=True)
        return {name: values[0] for name, values in parsed.items()}

    @cached_property
    def decoded_path(self) -> str:
        return unquote(self.path)

    @cached_property
    def form(self) -> dict[str, str]:
        """The parameters of a query-protocol call (RDS, IAM, STS)."""
        parsed = parse_qs(self.body.decode(errors="replace"), keep_blank_values=True)
        return {name: values[0] for name, values in parsed.items()}

    @cached_property
    def document(self) -> dict[str, Any]:
        """The body of a JSON call; empty when it is no JSON object."""
        try:
            found = json.loads(self.body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    @cached_property
    def xml(self) -> Element | None:
        """The body of an XML call; None when it is no XML, which MiniStack refuses."""
        try:
            return ElementTree.fromstring(self.body)  # noqa: S314  loopback only
        except ElementTree.ParseError:
            return None

    @cached_property
    def action(self) -> str:
        """The operation by name, for the protocols that carry it (JSON and query)."""
        target = self.headers.get("x-amz-target", "")
        return target.rpartition(".")[2] or self.form.get("Action", "")

    def with_body(self, body: bytes) -> Call:
        return Call(self.method, self.path, self.query_string, self.headers, body)


@dataclass
class Answer:
    """One response; ``body`` is all of it. Headers keep their case."""

    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @cached_property
    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found

    @property
    def text(self) -> str:
        return self.body.decode()

    def with_body(self, body: bytes) -> Answer:
        return Answer(self.status, self.headers, body)


def json_answer(document: object) -> Answer:
    return Answer(
        200, [("Content-Type", "application/x-amz-json-1.1")], json.dumps(document).encode()
    )


def json_error(code: str, message: str, status: int = 400) -> Answer:
    body = json.dumps({"__type": code, "message": message}).encode()
    headers = [("Content-Type", "application/x-amz-json-1.1"), ("x-amzn-ErrorType", code)]
    return Answer(status, headers, body)


def xml_error(code: str, message: str, status: int = 400) -> Answer:
    """The error of rest-xml (CloudFront, Route 53) and of query-xml (RDS, IAM)."""
    kind = "Sender" if status < 500 else "Receiver"
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<ErrorResponse><Error>'
        f"<Type>{kind}</Type><Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
        f"</Error><RequestId>{uuid.uuid4()}</RequestId></ErrorResponse>"
    )
    return Answer(status, [("Content-Type", "text/xml")], body.encode())


def ec2_error(code: str, message: str, status: int = 400) -> Answer:
    """EC2 has errors of its own form."""
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<Response><Errors><Error>'
        f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
        f"</Error></Errors><RequestID>{uuid.uuid4()}</RequestID></Response>"
    )
    return Answer(status, [("Content-Type", "text/xml")], body.encode())


def s3_error(code: str, message: str, status: int = 400) -> Answer:
    """S3 has no ``ErrorResponse`` around its error."""
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<Error>'
        f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
        f"<RequestId>{uuid.uuid4()}</RequestId></Error>"
    )
    return Answer(status, [("Content-Type", "application/xml")], body.encode())
