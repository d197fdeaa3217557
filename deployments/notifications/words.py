"""One event, for programs and for people."""

from __future__ import annotations

import json
from typing import Any

from django.utils import timezone

from deployments.models import Deployment, Event, Listener, Message
from deployments.previews import url_of
from deployments.target import address

STATE = {Event.STARTED: "in_progress", Event.SUCCEEDED: "success", Event.FAILED: "failure"}


def address_of(deployment: Deployment) -> str:
    """Where it is to be seen, or "" while that is nowhere."""
    if deployment.environment == Deployment.Environment.PREVIEW:
        return url_of(deployment)
    return address(deployment.site)


def message_id(message: Message) -> str:
    """The same at every try, and no other installation's."""
    return f"msg_{message.deployment.site.short_uid}_{message.pk}"


def body(message: Message) -> str:
    """``{"type": event, "timestamp": ISO 8601, "data": {...}}``, the same at every try."""
    return json.dumps(
        {
            "type": message.event,
            "timestamp": message.created_at.isoformat(),
            "data": data(message.deployment, Event(message.event)),
        },
        separators=(",", ":"),
    )


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
    return f"{deployment.site.name}: deployment #{deployment.number} {_verb(message)}"


def letter(message: Message) -> str:
    told = data(message.deployment, Event(message.event))
    names = ("environment_url", "error", "description", "ref", "sha", "author", "source")
    facts = [f"{name.replace('_', ' ').capitalize()}: {told[name]}" for name in names if told[name]]
    return "\n".join([f"{subject(message)}.", "", *facts, ""])


def test_body(listener: Listener) -> str:
    said = {
        "type": "test",
        "timestamp": timezone.now().isoformat(),
        "data": {"site": listener.site.name},
    }
    return json.dumps(said, separators=(",", ":"))


def test_letter(listener: Listener) -> str:
    return f"You will hear here of deployments of {listener.site}.\n"


def _verb(message: Message) -> str:
    deployment = message.deployment
    if message.event == Event.STARTED:
        return "has started"
    if message.event == Event.FAILED:
        return "has failed"
    is_preview = deployment.environment == Deployment.Environment.PREVIEW
    is_ready = not is_preview and deployment.published_at is None
    return "is ready to be published" if is_ready else "is live"
