"""S3 as far as uploaders need it, in memory and fast: bodies are counted and dropped.

Made so that the client and not the server is what a benchmark measures; one process, one core. An
object keeps its size, its time and the MD5 that its client sent, which is its ETag.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import re
import sys
import time
from bisect import bisect_right
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from email.utils import formatdate
from urllib.parse import parse_qs, quote, unquote
from xml.sax.saxutils import escape, unescape

BUFFER = 256 * 1024
PAGE = 1_000
XMLNS = ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
KEY = re.compile(r"<Key>(.*?)</Key>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Stored:
    size: int
    etag: str
    modified: float


@dataclass
class Bucket:
    objects: dict[str, Stored] = field(default_factory=dict)
    ordered: list[str] | None = None

    def keys(self) -> list[str]:
        if self.ordered is None:
            self.ordered = sorted(self.objects)
        return self.ordered


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    size: int
    body: bytes = b""


class Sink:
    """Buckets come into being with their first object; ``counts`` are requests by operation."""

    def __init__(self, delay: float) -> None:
        self.delay = delay
        self.buckets: defaultdict[str, Bucket] = defaultdict(Bucket)
        self.counts: Counter[str] = Counter()

    def answer(self, request: Request) -> bytes:
        if request.path.startswith("/_"):
            return self._control(request)
        name, _, key = request.path.removeprefix("/").partition("/")
        operation = self._operation(request, key)
        self.counts[operation] += 1
        handler = getattr(self, f"_{operation.replace('-', '_')}", None)
        return response(501) if handler is None else handler(self.buckets[name], key, request)

    def _control(self, request: Request) -> bytes:
        if request.path == "/_reset":
            self.buckets.clear()
        told = json.dumps(self.counts).encode()
        if request.path in ("/_reset", "/_counts"):
            self.counts.clear()
        elif request.path.startswith("/_delay/"):
            self.delay = float(request.path.rpartition("/")[2])
        return response(200, told)

    @staticmethod
    def _operation(request: Request, key: str) -> str:
        method, query = request.method, request.query
        if not key:
            other = {"PUT": "create-bucket", "HEAD": "head-bucket", "POST": "delete-many"}
            return (
                "list"
                if method == "GET" and "location" not in query
                else (other.get(method, "get-location"))
            )
        if "uploadId" in query:
            return {"PUT": "put-part", "POST": "complete"}.get(method, "abort")
        return {"PUT": "put", "HEAD": "head", "DELETE": "delete", "GET": "get"}.get(method, "start")

    def _put(self, bucket: Bucket, key: str, request: Request) -> bytes:
        sent = request.headers.get("content-md5")
        etag = base64.b64decode(sent).hex() if sent else f"{hash(key) & (1 << 128) - 1:032x}"
        if key not in bucket.objects:
            bucket.ordered = None
        bucket.objects[key] = Stored(request.size, etag, time.time())
        return response(200, headers=f'ETag: "{etag}"\r\n')

    def _start(self, bucket: Bucket, key: str, request: Request) -> bytes:
        upload = "<UploadId>1</UploadId>"
        return xml("InitiateMultipartUploadResult", f"<Key>{escape(key)}</Key>{upload}")

    def _put_part(self, bucket: Bucket, key: str, request: Request) -> bytes:
        known = bucket.objects.get(key + "\0", Stored(0, "", 0))
        bucket.objects[key + "\0"] = Stored(known.size + request.size, "", 0)
        return response(200, headers='ETag: "part"\r\n')

    def _complete(self, bucket: Bucket, key: str, request: Request) -> bytes:
        size = bucket.objects.pop(key + "\0", Stored(0, "", 0)).size
        bucket.objects[key] = Stored(size, "parts-1", time.time())
        bucket.ordered = None
        return xml("CompleteMultipartUploadResult", f"<ETag>parts-1</ETag><Key>{escape(key)}</Key>")

    def _abort(self, bucket: Bucket, key: str, request: Request) -> bytes:
        return response(204)

    def _head(self, bucket: Bucket, key: str, request: Request) -> bytes:
        found = bucket.objects.get(key)
        if found is None:
            return response(404)
        told = (
            f'ETag: "{found.etag}"\r\nLast-Modified: {formatdate(found.modified, usegmt=True)}\r\n'
        )
        return response(200, headers=told, length=found.size)

    def _delete(self, bucket: Bucket, key: str, request: Request) -> bytes:
        if bucket.objects.pop(key, None):
            bucket.ordered = None
        return response(204)

    def _delete_many(self, bucket: Bucket, key: str, request: Request) -> bytes:
        keys = [unescape(found) for found in KEY.findall(request.body.decode())]
        for gone in keys:
            bucket.objects.pop(gone, None)
        bucket.ordered = None
        deleted = "".join(f"<Deleted><Key>{escape(key)}</Key></Deleted>" for key in keys)
        return xml("DeleteResult", deleted)

    def _create_bucket(self, bucket: Bucket, key: str, request: Request) -> bytes:
        return response(200)

    _head_bucket = _create_bucket

    def _get_location(self, bucket: Bucket, key: str, request: Request) -> bytes:
        return xml("LocationConstraint", "us-east-1")

    def _list(self, bucket: Bucket, key: str, request: Request) -> bytes:
        """ListObjectsV2 without delimiter, and of version 1 what s5cmd and rclone ask for."""
        one = {name: values[0] for name, values in request.query.items()}
        prefix = one.get("prefix", "")
        after = one.get("continuation-token") or one.get("marker") or one.get("start-after", "")
        keys = bucket.keys()
        first = bisect_right(keys, after) if after else 0
        page = [key for key in keys[first : first + PAGE] if key.startswith(prefix)]
        more = first + PAGE < len(keys)
        name = quote if one.get("encoding-type") == "url" else escape
        rows = [_listed(name(key), bucket.objects[key]) for key in page]
        token = f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>" if more else ""
        marker = f"<NextMarker>{escape(page[-1])}</NextMarker>" if more else ""
        encoding = "<EncodingType>url</EncodingType>" if name is quote else ""
        told = f"<KeyCount>{len(page)}</KeyCount><MaxKeys>{PAGE}</MaxKeys>{encoding}"
        truncated = f"<IsTruncated>{str(more).lower()}</IsTruncated>"
        return xml("ListBucketResult", f"{told}{truncated}{token}{marker}{''.join(rows)}")


def _listed(name: str, stored: Stored) -> str:
    modified = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(stored.modified))
    fraction = f"{stored.modified % 1:.3f}"[1:]
    return (
        f"<Contents><Key>{name}</Key><LastModified>{modified}{fraction}Z</LastModified>"
        f"<ETag>&quot;{stored.etag}&quot;</ETag><Size>{stored.size}</Size>"
        "<StorageClass>STANDARD</StorageClass></Contents>"
    )


def response(status: int, body: bytes = b"", headers: str = "", length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    return f"HTTP/1.1 {status} X\r\n{headers}Content-Length: {size}\r\n\r\n".encode() + body


def xml(name: str, content: str) -> bytes:
    body = f'<?xml version="1.0" encoding="UTF-8"?><{name}{XMLNS}>{content}</{name}>'
    return response(200, body.encode(), "Content-Type: application/xml\r\n")


class Connection(asyncio.BufferedProtocol):
    """HTTP/1.1 with keep-alive. A body is kept for POST alone."""

    transport: asyncio.Transport

    def __init__(self, sink: Sink, buffer: bytearray) -> None:
        self.sink, self.buffer, self.view = sink, buffer, memoryview(buffer)
        self.head = b""
        self.left = 0
        self.request: Request | None = None
        self.body: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def get_buffer(self, sizehint: int) -> bytearray:
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        at = 0
        while at < nbytes or (self.request is not None and not self.left):
            if self.request is None:
                end = self._read_head(at, nbytes)
                if end is None:
                    return
                at = end
            taken = min(self.left, nbytes - at)
            if taken and self.request is not None and self.request.method == "POST":
                self.body.append(bytes(self.view[at : at + taken]))
            at += taken
            self.left -= taken
            if self.left:
                return
            self._finish()

    def _read_head(self, at: int, nbytes: int) -> int | None:
        """Where the body begins, once the head is complete."""
        before = len(self.head)
        self.head += bytes(self.view[at:nbytes])
        end = self.head.find(b"\r\n\r\n", max(0, before - 3))
        if end < 0:
            return None
        self.request = _parsed(self.head[:end].decode("latin-1"))
        self.left = int(self.request.headers.get("content-length", 0))
        self.head = b""
        if self.request.headers.get("expect"):
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return at + end + 4 - before

    def _finish(self) -> None:
        assert self.request is not None
        request = self.request
        if self.body:
            request = Request(
                request.method,
                request.path,
                request.query,
                request.headers,
                request.size,
                b"".join(self.body),
            )
        self.request, self.body = None, []
        answer = self.sink.answer(request)
        if self.sink.delay and not request.path.startswith("/_"):
            asyncio.get_running_loop().call_later(self.sink.delay, self._write, answer)
        else:
            self.transport.write(answer)

    def _write(self, answer: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(answer)


def _parsed(head: str) -> Request:
    lines = head.split("\r\n")
    method, target, _ = lines[0].split(" ")
    headers = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    path, _, query = target.partition("?")
    fields = parse_qs(query, keep_blank_values=True) if query else {}
    size = headers.get("x-amz-decoded-content-length") or headers.get("content-length") or 0
    return Request(method, unquote(path), fields, headers, int(size))


async def serve(port: int, delay: float) -> None:
    """Until it is killed. Port 0 is any; the one it listens on is printed."""
    sink, buffer = Sink(delay), bytearray(BUFFER)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Connection(sink, buffer), "127.0.0.1", port, backlog=1024
    )
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before each answer")
    options = parser.parse_args()
    asyncio.run(serve(options.port, options.delay))
