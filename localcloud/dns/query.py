"""``/_localcloud/dns-query``: the public DNS over HTTP, RFC 8484."""

from __future__ import annotations

import asyncio
import base64
import binascii
from typing import Any
from urllib.parse import parse_qs

import dns.exception
import dns.flags
import dns.message
import dns.opcode
import dns.rdataclass
from dns.message import Message
from dns.rcode import Rcode

from localcloud.dns.world import PublicDns
from localcloud.proxy import body_of, reply
from localcloud.wire import Answer

TYPE = "application/dns-message"


class DnsQuery:
    """ASGI app."""

    def __init__(self, public: PublicDns) -> None:
        self.public = public

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = b"".join([chunk async for chunk in body_of(receive)])
        headers = dict(scope["headers"])
        match scope["method"]:
            case "POST" if headers.get(b"content-type", b"").decode("latin-1") == TYPE:
                wire = body
            case "POST":
                return await reply(send, _refusal(415, f"a query is {TYPE}"))
            case "GET":
                wire = _from_base64(scope["query_string"])
            case _:
                return await reply(send, _refusal(405, "ask by POST, or by GET with ?dns="))
        try:
            query = dns.message.from_wire(wire)
        except dns.exception.DNSException as error:
            return await reply(send, _refusal(400, f"no DNS message: {error!r}"))
        answer = await asyncio.to_thread(self.answer, query)
        freshness = min((each.ttl for each in answer.answer), default=0)
        fields = [("Content-Type", TYPE), ("Cache-Control", f"max-age={freshness}")]
        await reply(send, Answer(200, fields, answer.to_wire(max_size=65535)))

    def answer(self, query: Message) -> Message:
        """Blocking."""
        if query.flags & dns.flags.QR or len(query.question) != 1:
            return _empty(query, Rcode.FORMERR)
        question = query.question[0]
        if query.opcode() != dns.opcode.QUERY:
            return _empty(query, Rcode.NOTIMP)
        if question.rdclass != dns.rdataclass.IN:
            return _empty(query, Rcode.REFUSED)
        found = self.public.world().resolve(question.name, question.rdtype)
        answer = _empty(query, found.rcode)
        answer.answer = found.answer
        answer.authority = found.authority
        return answer


def _empty(query: Message, rcode: Rcode) -> Message:
    query.flags &= ~dns.flags.QR
    answer = dns.message.make_response(query, recursion_available=True)
    answer.set_rcode(rcode)
    return answer


def _from_base64(query_string: bytes) -> bytes:
    """Of ``?dns=``, base64url without padding; nothing from what is not."""
    given = parse_qs(query_string.decode("latin-1")).get("dns", [""])[0]
    try:
        return base64.urlsafe_b64decode(given + "=" * (-len(given) % 4))
    except (binascii.Error, ValueError):
        return b""


def _refusal(status: int, reason: str) -> Answer:
    text = f"/_localcloud/dns-query: {reason}\n"
    return Answer(status, [("Content-Type", "text/plain")], text.encode())
