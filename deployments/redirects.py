"""Redirect rules of a site: Netlify's ``_redirects`` file.

The format: https://docs.netlify.com/manage/routing/redirects/overview/
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Redirect:
    """One rule. The first that matches wins; an existing file wins over a rule without ``force``.

    ``source`` is a path pattern: segments, of which ``:name`` stands for any one, and a final
    ``*`` for all the rest. ``target`` is a path of the site or, for 3xx, an http(s) address, in
    which ``:name`` and ``:splat`` stand for what they matched. ``query`` holds the parameters
    that must be there, ``conditions`` the ``country`` and ``language`` that do, any one of each.
    """

    source: str
    target: str
    status: int = 301
    force: bool = False
    query: dict[str, str] = field(default_factory=dict)
    conditions: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def __hash__(self) -> int:
        return hash((self.source, self.target, self.status, self.force, *self.query))
