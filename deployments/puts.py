"""PUT requests to a bucket: many in flight in one thread, signed by libcurl.

A small object costs libcurl half of the processor time that it costs obstore (adr 0008).
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar
from urllib.parse import quote

import certifi
import pycurl

if TYPE_CHECKING:
    from cloudadmin.aws import BucketAddress

Tag = TypeVar("Tag")

CONNECT_SECONDS = 10
# Given up when nothing at all was sent or answered for so long.
SILENCE_SECONDS = 60
# S3 has many addresses, and libcurl takes the first of those that it remembers.
DNS_SECONDS = 5
# What S3 says about an error fits in it; the rest of an answer is dropped.
ANSWER = 4096
# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})
TRANSIENT_CODES = frozenset({"RequestTimeout", "SlowDown", "OperationAborted"})
# https://curl.se/libcurl/c/libcurl-errors.html
UNREACHABLE = frozenset(
    {pycurl.E_COULDNT_RESOLVE_HOST, pycurl.E_COULDNT_CONNECT, pycurl.E_COULDNT_RESOLVE_PROXY}
)
BROKEN_OFF = frozenset(
    {
        pycurl.E_OPERATION_TIMEDOUT,
        pycurl.E_GOT_NOTHING,
        pycurl.E_SEND_ERROR,
        pycurl.E_RECV_ERROR,
        pycurl.E_PARTIAL_FILE,
        pycurl.E_SEND_FAIL_REWIND,
        pycurl.E_SSL_CONNECT_ERROR,
    }
)


class Body(Protocol):
    """What is sent, and closed afterwards. S3 is promised ``sha256``, and refuses other bytes."""

    size: int
    sha256: str

    def read(self, size: int) -> bytes | None:
        """The next bytes, none at the end; None to break the request off."""

    def rewind(self) -> None:
        """To its start: a connection that was kept open turned out to be closed."""

    def close(self) -> None: ...


@dataclass(frozen=True)
class Refusal:
    """Why an object was not taken; ``is_transient``: another try may do better.

    ``is_busy``: the bucket asks for fewer requests. ``is_unreachable``: nobody was there to ask.
    """

    reason: str
    is_transient: bool = False
    is_busy: bool = False
    is_unreachable: bool = False


@dataclass(frozen=True)
class Put(Generic[Tag]):
    """A request that ended, after ``seconds``."""

    tag: Tag
    seconds: float
    refusal: Refusal | None


class Puts(Generic[Tag]):
    """For one thread. What ends is told by :meth:`wait`, in the order of ending."""

    def __init__(self, bucket: BucketAddress) -> None:
        self._bucket = bucket
        self._multi = pycurl.CurlMulti()
        self._idle: list[_Request] = []
        self._flying: dict[pycurl.Curl, tuple[_Request, Tag]] = {}

    def __len__(self) -> int:
        """Requests in flight."""
        return len(self._flying)

    def start(self, tag: Tag, key: str, headers: Mapping[str, str], body: Body) -> None:
        request = self._idle.pop() if self._idle else _Request(self._bucket)
        request.prepare(key, headers, body)
        self._flying[request.curl] = request, tag
        self._multi.add_handle(request.curl)

    def wait(self, seconds: float) -> Iterator[Put[Tag]]:
        """Until one ends, or so long; then all that ended."""
        if not self._flying:
            time.sleep(seconds)
            return
        deadline = time.monotonic() + seconds
        while not (ended := self._ended()) and time.monotonic() < deadline:
            self._rest(seconds)
        yield from ended

    def close(self) -> None:
        """Break off what is in flight."""
        for request, _ in self._flying.values():
            self._multi.remove_handle(request.curl)
            request.body.close()
        self._flying.clear()
        self._multi.close()

    def _rest(self, seconds: float) -> None:
        """Until a connection has something to do; libcurl's own timers may be nearer."""
        timer = self._multi.timeout()
        wait = seconds if timer < 0 else min(seconds, timer / 1000)
        if wait and self._multi.select(wait) < 1:
            # There may be nothing to wait for yet. https://curl.se/libcurl/c/curl_multi_fdset.html
            time.sleep(min(wait, 0.01))

    def _ended(self) -> list[Put[Tag]]:
        self._multi.perform()
        ended: list[Put[Tag]] = []
        left = 1
        while left:
            left, good, bad = self._multi.info_read()
            ended += [self._end(curl, 0, "") for curl in good]
            ended += [self._end(*told) for told in bad]
        return ended

    def _end(self, curl: pycurl.Curl, error: int, message: str) -> Put[Tag]:
        request, tag = self._flying.pop(curl)
        self._multi.remove_handle(curl)
        request.body.close()
        self._idle.append(request)
        return Put(tag, curl.getinfo(pycurl.TOTAL_TIME), request.refusal(error, message))


class _Request:
    """A handle, used again and again; its connection stays open meanwhile."""

    body: Body

    def __init__(self, bucket: BucketAddress) -> None:
        self._bucket = bucket
        self._answer = b""
        self._who: tuple[object, ...] = ()
        self.curl = curl = pycurl.Curl()
        curl.setopt(pycurl.UPLOAD, 1)
        curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
        curl.setopt(pycurl.NOSIGNAL, 1)
        curl.setopt(pycurl.CAINFO, os.environ.get("AWS_CA_BUNDLE") or certifi.where())
        curl.setopt(pycurl.CONNECTTIMEOUT, CONNECT_SECONDS)
        curl.setopt(pycurl.DNS_CACHE_TIMEOUT, DNS_SECONDS)
        curl.setopt(pycurl.LOW_SPEED_LIMIT, 1)
        curl.setopt(pycurl.LOW_SPEED_TIME, SILENCE_SECONDS)
        curl.setopt(pycurl.AWS_SIGV4, f"aws:amz:{bucket.region}:s3")
        curl.setopt(pycurl.READFUNCTION, self._read)
        curl.setopt(pycurl.SEEKFUNCTION, self._seek)
        curl.setopt(pycurl.WRITEFUNCTION, self._note)

    def prepare(self, key: str, headers: Mapping[str, str], body: Body) -> None:
        self.body, self._answer = body, b""
        curl, who = self.curl, self._bucket.credentials()
        own = {"x-amz-content-sha256": body.sha256}
        if who.token:
            own["x-amz-security-token"] = who.token
        curl.setopt(pycurl.URL, f"{self._bucket.url}/{quote(key, safe='/~')}")
        if who != self._who:
            curl.setopt(pycurl.USERNAME, who.access_key)
            curl.setopt(pycurl.PASSWORD, who.secret_key)
            self._who = who
        curl.setopt(pycurl.INFILESIZE_LARGE, body.size)
        # A colon and nothing leaves out what libcurl would send by itself.
        lines = [f"{name}: {value}" for name, value in {**headers, **own}.items()]
        curl.setopt(pycurl.HTTPHEADER, [*lines, "Expect:", "Accept:"])

    def refusal(self, error: int, message: str) -> Refusal | None:
        if error:
            return self._failure(error, message)
        status = self.curl.getinfo(pycurl.RESPONSE_CODE)
        if status == 200:
            return None
        code, said = _tag("Code", self._answer), _tag("Message", self._answer)
        return Refusal(
            f"{code}: {said}" if code and said else code or f"it answered {status}.",
            is_transient=status in TRANSIENT or code in TRANSIENT_CODES,
            is_busy=status in (429, 503),
        )

    def _failure(self, error: int, message: str) -> Refusal:
        is_late = error == pycurl.E_OPERATION_TIMEDOUT
        if error in UNREACHABLE or (is_late and not self.curl.getinfo(pycurl.PRETRANSFER_TIME)):
            told = f"{self._bucket.url} cannot be reached ({message}); check the network, then "
            return Refusal(f"{told}try again.", is_transient=True, is_unreachable=True)
        if error == pycurl.E_PEER_FAILED_VERIFICATION:
            message += (
                "; if a proxy of yours signs, name the file of its authority in AWS_CA_BUNDLE"
            )
        return Refusal(f"{message}.", is_transient=error in BROKEN_OFF)

    def _seek(self, offset: int, origin: int) -> int:
        if offset or origin != os.SEEK_SET:
            return int(pycurl.SEEKFUNC_CANTSEEK)
        self.body.rewind()
        return int(pycurl.SEEKFUNC_OK)

    def _read(self, size: int) -> bytes | int:
        part = self.body.read(size)
        return pycurl.READFUNC_ABORT if part is None else part

    def _note(self, part: bytes) -> None:
        self._answer = (self._answer + part)[:ANSWER]


def _tag(name: str, xml: bytes) -> str:
    found = re.search(rf"<{name}>([^<]*)</{name}>".encode(), xml)
    return found[1].decode(errors="replace") if found else ""
