"""An entry of the audit log in words: one sentence, and what differs."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from django.utils.safestring import SafeString
from django.utils.text import Truncator

from sites.admin.audit_names import Names, named
from sites.admin.values import change, value
from sites.audit.tables import TABLES
from sites.models import AuditEntry, Site

Kind = AuditEntry.Act
CHANGES = (Kind.INSERT, Kind.UPDATE, Kind.DELETE, Kind.TRUNCATE)
DEPLOYMENTS = "deployments_deployment"
STATES = {
    Site.State.DRAFT: "is a draft",
    Site.State.PROVISIONING: "is being provisioned",
    Site.State.LIVE: "is live",
    Site.State.FAILED: "needs attention",
    Site.State.DESTROYING: "is being destroyed",
}
COLUMNS_TOLD, LONGEST_TOLD = 3, 40
# What a login with somebody's name can bring along, and a terminal or a browser would obey.
INVISIBLE = re.compile(r"[\u0000-\u001f\u007f-\u009f]")


def visible_text(of: Any) -> str:
    """Nothing in it moves a cursor or turns the direction of what follows."""
    text = of.isoformat() if hasattr(of, "isoformat") else "" if of is None else str(of)
    plain = INVISIBLE.sub(" ", text)
    return "".join(c for c in plain if unicodedata.category(c) not in ("Cf", "Cc"))


def sentence(row: AuditEntry) -> str:
    """As in “Changed site shop”, “Published deployment #2” and “Site shop is live”."""
    act = str(row.get_act_display())
    words: list[str] = [act, TABLES.get(row.table, row.table), row.label]
    after = row.after or {}
    if row.table == Site._meta.db_table and tells_all(row):
        words = ["Site", row.label, STATES.get(after["state"], after["state"])]
    elif row.table == "sites_operation" and row.act == Kind.INSERT:
        words = ["Asked for", row.label]
    elif row.table == DEPLOYMENTS:
        verb = "Published" if after.get("is_published") else "Took back"
        words = [verb, "deployment", row.label]
    elif row.act not in CHANGES:
        words = [act, row.label]
    return visible_text(" ".join(filter(None, words)))


def tells_all(row: AuditEntry) -> bool:
    """Whether the sentence has all that was changed."""
    is_state = row.act == Kind.UPDATE and set(row.after or ()) == {"state"}
    return row.table == DEPLOYMENTS or (row.table == Site._meta.db_table and is_state)


def differing(row: AuditEntry) -> dict[str, str]:
    """The columns that an entry tells of, and what people call them."""
    before, after = row.before or {}, row.after or {}
    return {
        name: name.removesuffix("_id").replace("_", " ")
        for name in sorted({*before, *after})
        if row.act == Kind.UPDATE or before.get(name, after.get(name)) not in (None, "", [], {})
    }


def compared(row: AuditEntry, names: Names) -> list[tuple[str, SafeString]]:
    """Each column, and its value or from which to which."""

    def of(told: dict[str, Any] | None, name: str) -> Any:
        return named(names, row, name, (told or {}).get(name))

    return [
        (title, _compared(row, of(row.before, name), of(row.after, name)))
        for name, title in differing(row).items()
    ]


def _compared(row: AuditEntry, before: Any, after: Any) -> SafeString:
    if before == after == "(secret)":
        return SafeString('<span class="muted">changed; it is not shown</span>')
    if row.act == Kind.UPDATE:
        return change(before, after)
    return value(before if row.after is None else after)


def told_of(changes: list[tuple[str, SafeString]]) -> list[tuple[str, SafeString]]:
    return [(Truncator(name).chars(LONGEST_TOLD), said) for name, said in changes[:COLUMNS_TOLD]]
