"""The function's action "export", page by page."""

from __future__ import annotations


def export(counter, **asked):
    return counter.handler({"action": "export", **asked}, None)


def pages(counter, limit, epoch=None, position=None):
    """All pages from a position, as a reader asks for them."""
    found, after = [], None
    while True:
        page = export(counter, epoch=epoch, position=position, after=after, limit=limit)
        found.append(page)
        if not page["more"]:
            return found
        after = page["rows"][-1][:4]


def exported(found) -> dict[tuple, list[int]]:
    return {tuple(row[:4]): row[4:] for page in found for row in page["rows"]}
