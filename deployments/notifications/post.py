"""A signed webhook, as https://github.com/standard-webhooks/standard-webhooks says."""

from __future__ import annotations

import base64
import secrets
import time

import httpx
from django.utils import timezone
from standardwebhooks.webhooks import Webhook

from cloudadmin import tls
from deployments.notifications.addresses import AddressRefused, Destination, resolve
from deployments.notifications.answers import Answer

TIMEOUT = httpx.Timeout(10, connect=5)
READ_AT_MOST = 10_000  # bytes
READ_SECONDS = 10.0
GONE = 410


def new_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def post(address: str, secret: str, message_id: str, body: str) -> Answer:
    """``message_id`` is the same at every try, so that the receiver can tell a second one."""
    try:
        destination = resolve(address)
    except AddressRefused as refused:
        return Answer(False, str(refused))
    now = timezone.now()
    headers = {
        "Host": destination.host,
        "Content-Type": "application/json",
        "User-Agent": "cloudadmin",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign(message_id, now, body),
    }
    try:
        return _send(destination, headers, body)
    except httpx.TimeoutException:
        return Answer(False, "No answer within ten seconds.")
    except httpx.HTTPError as error:
        return Answer(False, f"No answer: {str(error) or type(error).__name__}.")


def _send(destination: Destination, headers: dict[str, str], body: str) -> Answer:
    # A proxy of the environment would resolve the name again, unjudged.
    with (
        httpx.Client(
            timeout=TIMEOUT, verify=tls.authorities(), trust_env=False, follow_redirects=False
        ) as client,
        client.stream(
            "POST",
            destination.url,
            content=body.encode(),
            headers=headers,
            extensions={"sni_hostname": destination.server_name},
        ) as response,
    ):
        said = f"{response.status_code} {response.reason_phrase}".strip()
        text = _beginning(response)
    if response.is_redirect:
        return Answer(False, f"{said}: redirects are not followed; give the address it leads to.")
    if response.is_success:
        return Answer(True, said)
    return Answer(False, f"{said}: {text}" if text else said, is_gone=response.status_code == GONE)


def _beginning(response: httpx.Response) -> str:
    """As it came, never unpacked: a small answer may become a large one."""
    data, until = b"", time.monotonic() + READ_SECONDS
    for chunk in response.iter_raw(1024):
        data += chunk
        if len(data) >= READ_AT_MOST or time.monotonic() > until:
            break
    text = data[:READ_AT_MOST].decode(errors="replace")
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:200]
