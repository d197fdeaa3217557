"""Values of AWS, and what is to be copied out of a sentence, as HTML."""

from __future__ import annotations

import json
import re
from difflib import unified_diff
from typing import Any

from django.utils.html import conditional_escape, format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from sites.provisioning.steps import UNKNOWN

# A value that is longer is folded.
LONGEST = 72
# A difference of more lines is folded.
OPEN_LINES = 12
MARKS = {"+": "added", "-": "removed", " ": "same"}
TRY = re.compile(r"(?P<said>.*?) Try: (?P<todo>.*)", re.DOTALL)
# What a person copies: `commands`, addresses, ARNs, the names and values of DNS records.
COPIED = re.compile(
    r"(?:`(?P<command>[^`]+)`"
    r'|(?P<caa>[0-9]+ issue(?:wild)? "[^"]+")'
    r"|(?P<plain>https?://[^\s,;]*[^\s,;.]|arn:aws:\S*[^\s,;.]|(?:\*\.)?(?:[_a-z0-9-]+\.)+[a-z]{2,}))"
    r"(?P<after>[,;:.]?)"
)


def said_and_todo(message: str) -> tuple[str, str]:
    """An error, and what to try."""
    match = TRY.fullmatch(message)
    return (match["said"], match["todo"]) if match else (message, "")


def value(of: Any) -> SafeString:
    """One value of a field; a long one is folded."""
    if of is None or of == "":
        return format_html('<span class="muted">{}</span>', "not set" if of is None else "empty")
    if isinstance(of, str) and of.startswith(UNKNOWN):
        return format_html('<span class="muted">{}</span>', of.strip("()"))
    text = of if isinstance(of, str) else json.dumps(of, default=str)
    if len(text) <= LONGEST:
        return format_html("<code>{}</code>", text)
    whole = of if isinstance(of, str) else json.dumps(of, default=str, indent=2)
    return format_html(
        '<details class="long"><summary><code>{}…</code></summary><pre tabindex="0">{}</pre>'
        "</details>",
        text[: LONGEST - 12],
        whole,
    )


def change(before: Any, after: Any) -> SafeString:
    """From one value to the other; of long documents the lines that differ."""
    if not all(isinstance(of, dict | list) and _is_long(of) for of in (before, after)):
        return format_html(
            '{} <span class="arrow" aria-hidden="true">→</span><span class="sr-only">to</span> {}',
            value(before),
            value(after),
        )
    told = [*unified_diff(_lines(before), _lines(after), n=1, lineterm="")][2:]
    lines = [line for line in told if not line.startswith("@@")]
    differing = sum(line[0] in "+-" for line in lines)
    return format_html(
        '<details class="long"{}><summary>{} line{} differ{}</summary>'
        '<pre class="diff" tabindex="0">{}</pre></details>',
        " open" if len(lines) <= OPEN_LINES else "",
        differing,
        *(("", "s") if differing == 1 else ("s", "")),
        format_html_join("", '<span class="{}">{}</span>', ((MARKS[x[0]], x) for x in lines)),
    )


def _lines(of: Any) -> list[str]:
    return json.dumps(of, default=str, indent=2).splitlines()


def _is_long(of: Any) -> bool:
    return len(json.dumps(of, default=str)) > LONGEST


def copyable(text: str) -> SafeString:
    """A sentence whose names, addresses and commands are ``<code>``, selected by one click."""
    parts, end = [], 0
    for match in COPIED.finditer(text):
        parts.append(conditional_escape(text[end : match.start()]))
        copied = match["command"] or match["caa"] or match["plain"]
        # With what follows it, so that no line begins with a comma.
        parts.append(
            format_html('<span class="copy"><code>{}</code>{}</span>', copied, match["after"])
        )
        end = match.end()
    parts.append(conditional_escape(text[end:]))
    return mark_safe("".join(parts))  # noqa: S308  each part is escaped
