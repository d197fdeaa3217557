"""An operation as JSON, to be sent to support: all that is known of it, and no secret."""

from __future__ import annotations

import json
import re
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.forms.models import model_to_dict

from sites.models import Operation
from sites.plain import plain

HIDDEN = "(left out)"
# Names of fields, and values, that nobody outside is to have.
SECRET_NAME = re.compile(r"(?i)pass(word|phrase)|secret|token|credential|private.?key|external_?id")
SECRET_VALUE = re.compile(
    r"(?:AKIA|ASIA)[A-Z0-9]{16}"  # access keys
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"  # user and password in an address
    r"|eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]*"  # signed tokens
)
FIELDS = (
    *("id", "site_name", "kind", "status", "attempts", "force", "by_hand", "plan_checksum"),
    *("plan", "waits", "next_check_at", "error_message", "finished_at"),
)
TRY = ("logical_id", "action", "call", "http_status", "error_code", "request_id", "resent", "said")


def as_json(operation: Operation) -> str:
    told = {
        **model_to_dict(operation, fields=FIELDS),
        "id": operation.pk,
        "created_at": operation.created_at,
        "events": [
            {
                "at": event.created_at,
                "logical_id": event.logical_id,
                "message": event.message,
                "calls": event.calls,
            }
            for event in operation.events.all()
        ],
        "tries": [
            {"at": row.at, **{name: getattr(row, name) for name in TRY}}
            for row in operation.tries.all()
        ],
    }
    known = json.loads(json.dumps(told, cls=DjangoJSONEncoder))
    return json.dumps(_without_secrets(known), indent=2, ensure_ascii=False)


def _without_secrets(of: Any, name: str = "") -> Any:
    if isinstance(of, dict):
        return {key: _without_secrets(value, key) for key, value in of.items()}
    if SECRET_NAME.search(name) and of not in (None, "", []):
        return HIDDEN
    if isinstance(of, list):
        return [_without_secrets(value) for value in of]
    return SECRET_VALUE.sub(HIDDEN, plain(of)) if isinstance(of, str) else of
