"""Chats and pushes, through apprise: https://github.com/caronc/apprise

What a chat is told goes through the same guard as webhooks: a server of somebody's own is reached
where everybody may go, and nowhere else. apprise is read when the first message is sent.
"""

from __future__ import annotations

from contextvars import ContextVar
from functools import cache
from types import ModuleType
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from cloudadmin import tls
from deployments.notifications.addresses import AddressRefused, resolve
from deployments.notifications.answers import Answer

SCHEMES = {
    *("discord", "slack", "tgram", "workflow", "workflows"),
    *("ntfy", "ntfys", "mmost", "mmosts", "gotify", "gotifys", "matrix", "matrixs"),
}
EXAMPLES = "slack://…, discord://…, ntfy://topic, ntfys://host/topic, tgram://…, matrixs://…"
# Whatever else an address may ask for: files of this machine, unchecked certificates, waiting.
PARAMETERS = {"auth", "avatar", "channels", "mode", "priority", "tags", "to", "token", "version"}
WORKFLOWS = {"api-version", "sp", "sv", "sig"}
TIMEOUT = (5, 10)  # seconds, to connect and to read
READ_AT_MOST = 10_000  # bytes
# The refusals of the requests of one message; None outside of them.
_refusals: ContextVar[list[str] | None] = ContextVar("refusals", default=None)


def check(address: str) -> str:
    """What may be shown of an address. Raises AddressRefused when it is none of a chat."""
    plugin = _plugin(address)
    asked = {name for name, _ in parse_qsl(urlsplit(address).query, keep_blank_values=True)}
    kept = PARAMETERS | (WORKFLOWS if address.startswith("https:") else set())
    if asked - kept:
        raise AddressRefused(
            f"“{', '.join(sorted(asked - kept))}” cannot be given with an address; leave it out."
        )
    shown = unquote(plugin.url(privacy=True).partition("?")[0])
    return "".join(c for c in shown if c.isprintable())[:200].rstrip("/")


def post(address: str, title: str, text: str) -> Answer:
    """The text is plain; whoever calls has made it harmless."""
    try:
        plugin = _plugin(address)
    except AddressRefused as refused:
        return Answer(False, str(refused), is_final=True)
    apprise = _apprise()
    refusals: list[str] = []
    token = _refusals.set(refusals)
    try:
        with apprise.LogCapture(level=apprise.logging.WARNING, fmt="%(message)s") as log:
            sender = apprise.Apprise(asset=apprise.AppriseAsset(async_mode=False))
            sender.add(plugin)
            is_delivered = sender.notify(body=text, title=title, body_format="text")
            said = log.getvalue()
    finally:
        _refusals.reset(token)
    if is_delivered:
        return Answer(True, f"Taken by {plugin.service_name}.")
    return Answer(False, _told(refusals, said, address))


def _told(refusals: list[str], said: str, address: str) -> str:
    """The first line, for the log; not what the address keeps secret."""
    if refusals:
        return refusals[0]
    parts = (part for part in urlsplit(address).path.split("/") if len(part) > 6)
    line = " ".join("".join(c if c.isprintable() else " " for c in said).split())
    for secret in parts:
        line = line.replace(secret, "…")
    return line[:250] or "It was not taken."


def _plugin(address: str) -> Any:
    plugin = None
    if "://" in address and len(address) <= 1_000 and address.isprintable():
        plugin = _apprise().Apprise.instantiate(address, suppress_exceptions=True)
    if plugin is None or not _schemes(plugin) <= SCHEMES:
        raise AddressRefused(
            f"That is no chat that is known here. Give an address such as {EXAMPLES} (see "
            "https://appriseit.com/services/), or the webhook's URL that Slack or Discord shows."
        )
    return plugin


def _schemes(plugin: Any) -> set[str]:
    names: set[str] = set()
    for each in (plugin.protocol, plugin.secure_protocol):
        names.update((each,) if isinstance(each, str) else each or ())
    return names


@cache
def _apprise() -> ModuleType:
    """With requests that are judged, sent to the address that was judged, and not led elsewhere."""
    import apprise
    import requests
    from requests import sessions
    from requests.adapters import HTTPAdapter

    class Adapter(HTTPAdapter):
        def send(self, request: Any, *args: Any, **options: Any) -> Any:
            try:
                destination = resolve(request.url)
            except AddressRefused as refused:
                refusals = _refusals.get()
                if refusals is not None:
                    refusals.append(str(refused))
                raise requests.ConnectionError(str(refused)) from refused
            request.headers["Host"] = destination.host
            if request.url.startswith("https:"):
                self.poolmanager.connection_pool_kw.update(
                    server_hostname=destination.server_name,
                    assert_hostname=destination.server_name,
                    ssl_context=tls.authorities(),
                )
            request.url = str(destination.url)
            options |= {"stream": True, "timeout": TIMEOUT, "proxies": {}}
            response = super().send(request, *args, **options)
            # A small answer, as it came, and never unpacked.
            response._content = response.raw.read(READ_AT_MOST, decode_content=False) or b""
            response._content_consumed = True
            return response

    class Session(requests.Session):
        def __init__(self) -> None:
            super().__init__()
            if _refusals.get() is not None:
                self.trust_env, self.max_redirects = False, 0
                self.mount("https://", Adapter())
                self.mount("http://", Adapter())

    sessions.Session = Session  # type: ignore[misc]
    return apprise
