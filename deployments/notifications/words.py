"""One event, for programs and for people.

What others wrote (messages of commits, names, errors) is plain text wherever it is shown: in a
chat, nobody is mentioned by it, and nothing is a link or markup.
"""

from __future__ import annotations

import json
import unicodedata
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from deployments.models import Deployment, Event, Listener, Message
from deployments.previews import url_of
from deployments.target import address

# Look-alikes of what chats take for mentions, links and markup.
INERT = str.maketrans(
    {
        **{"@": "\uff20", "<": "\u2039", ">": "\u203a", "[": "\uff3b", "]": "\uff3d"},
        **{"*": "\u2217", "`": "\u02cb", "~": "\u223c", "|": "\uff5c", "\\": "\uff3c"},
    }
)
LONGEST_FACT = 500
OURS = ("Environment url", "Dashboard")
STATE = {Event.STARTED: "in_progress", Event.SUCCEEDED: "success", Event.FAILED: "failure"}


def address_of(deployment: Deployment) -> str:
    """Where it is to be seen, or "" while that is nowhere."""
    if deployment.environment == Deployment.Environment.PREVIEW:
        return url_of(deployment)
    return address(deployment.site)


def message_id(message: Message) -> str:
    """The same at every try, and no other installation's."""
    about: Any = message.site or message.account
    return f"msg_{about.short_uid}_{message.pk}"


def body(message: Message) -> str:
    """``{"type": event, "timestamp": ISO 8601, "data": {...}}``, the same at every try."""
    return json.dumps(
        {
            "type": message.event,
            "timestamp": message.created_at.isoformat(),
            "data": _data(message),
        },
        separators=(",", ":"),
    )


def _data(message: Message) -> dict[str, Any]:
    if message.deployment is None:
        link = _link(message)
        return dict(message.told.get("data", {})) | ({"dashboard_url": link} if link else {})
    return data(message.deployment, Event(message.event))


def _link(message: Message) -> str:
    """The page of what happened; empty where nobody said what the dashboard's address is."""
    if not settings.CLOUDADMIN_URL:
        return ""
    if path := message.told.get("url"):
        return f"{settings.CLOUDADMIN_URL}{path}"
    page = reverse("admin:sites_site_change", args=[message.site_id])
    return f"{settings.CLOUDADMIN_URL}{page}"


def data(deployment: Deployment, event: Event) -> dict[str, Any]:
    """GitHub's words for deployments."""
    return {
        "site": deployment.site.name,
        "number": deployment.number,
        "state": STATE[event],
        "environment": deployment.environment,
        "environment_url": address_of(deployment),
        "trigger": deployment.trigger,
        "source": deployment.source,
        "ref": deployment.ref,
        "sha": deployment.sha,
        "author": deployment.author,
        "description": deployment.description,
        "error": deployment.error_message if event == Event.FAILED else "",
    }


def subject(message: Message) -> str:
    deployment = message.deployment
    if deployment is None:
        return plain(str(message.told.get("subject", message.get_event_display())))
    return f"{deployment.site.name}: deployment #{deployment.number} {_verb(message, deployment)}"


def letter(message: Message) -> str:
    facts = [f"{name}: {plain(said)}" for name, said in _facts(message)]
    return "\n".join([f"{subject(message)}.", "", *facts, ""])


def chat(message: Message) -> tuple[str, str]:
    """A title and a text that no chat takes for anything but text; our own address is a link."""
    facts = [f"{name}: {said if name in OURS else inert(said)}" for name, said in _facts(message)]
    return inert(subject(message)), "\n".join(facts) or "See the dashboard."


def _facts(message: Message) -> list[tuple[str, str]]:
    told = _data(message)
    if message.deployment is not None:
        names = ("environment_url", "error", "description", "ref", "sha", "author", "source")
        pairs = [(name.replace("_", " ").capitalize(), str(told[name])) for name in names]
    else:
        pairs = [
            ("Error", str(told.get("error", ""))),
            *(("Changed", str(said)) for said in told.get("changes", [])),
            *(("To do", f"{w['why']} {w['todo']}") for w in told.get("waits", [])),
            ("Why", str(told.get("why", ""))),
            ("To do", str(told.get("todo", ""))),
            ("Dashboard", str(told.get("dashboard_url", ""))),
        ]
    return [(name, said) for name, said in pairs if said]


def plain(text: str) -> str:
    """One line without what moves a cursor, turns the direction, or is not seen."""
    spaced = " ".join(text.split())
    return "".join(c for c in spaced if unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co"))


def inert(text: str) -> str:
    said = plain(text).translate(INERT).replace("://", ":\u2215\u2215")
    return said if len(said) <= LONGEST_FACT else f"{said[: LONGEST_FACT - 1]}…"


def test_body(listener: Listener) -> str:
    said = {
        "type": "test",
        "timestamp": timezone.now().isoformat(),
        "data": {"site": listener.site.name if listener.site else None},
    }
    return json.dumps(said, separators=(",", ":"))


def test_letter(listener: Listener) -> str:
    return f"You will hear here of {plain(listener.about)}.\n"


def _verb(message: Message, deployment: Deployment) -> str:
    if message.event == Event.STARTED:
        return "has started"
    if message.event == Event.FAILED:
        return "has failed"
    if deployment.environment == Deployment.Environment.PREVIEW:
        return "is served as a preview"
    return "is published" if deployment.published_at else "is ready to be published"
