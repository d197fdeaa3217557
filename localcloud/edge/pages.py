"""The few pages that the edge itself writes. Each says that this is not AWS."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from localcloud.edge.cache import Stored
from localcloud.edge.config import Distribution

STYLE = """
:root { color-scheme: light dark; }
body { margin: 0; font: 16px/1.6 system-ui, sans-serif; display: grid; min-height: 100vh;
       place-items: center; background: Canvas; color: CanvasText; }
main { max-width: 38rem; padding: 2rem; }
p.banner { display: inline-block; margin: 0; padding: .1rem .7rem; border-radius: 1rem;
           border: 1px solid; font-size: .8rem; opacity: .7; }
h1 { font-size: 1.5rem; line-height: 1.3; margin: 1rem 0 .5rem; }
li { font-family: ui-monospace, monospace; overflow-wrap: anywhere; }
"""


def unknown_host(host: str, distributions: Iterable[Distribution]) -> Stored:
    hosts = sorted(
        f"{(d.name or d.domain_name.partition('.')[0]).lower()}.localhost"
        for d in distributions
        if d.enabled
    )
    known = "".join(f"<li>{escape(name)}</li>" for name in hosts)
    text = f"<p>These are served here:</p><ul>{known}</ul>" if hosts else "<p>None is, yet.</p>"
    return _page(403, f"No site answers to “{host}”", text)


def disabled(distribution: Distribution) -> Stored:
    text = (
        "<p>It is switched off: on AWS, too, nothing is served until it is enabled again and "
        "deployed.</p>"
    )
    return _page(403, f"The distribution {distribution.id} is disabled", text)


def method_refused(method: str, methods: Iterable[str]) -> Stored:
    allowed = ", ".join(sorted(methods))
    return _page(403, f"{method} is not allowed here", f"<p>Allowed: {escape(allowed)}.</p>")


def function_failed(reason: str) -> Stored:
    text = f"<p>The CloudFront function failed: <code>{escape(reason)}</code></p>"
    return _page(503, "The request could not be satisfied", text)


def origin_failed(reason: str) -> Stored:
    text = f"<p>The origin did not answer: <code>{escape(reason)}</code></p>"
    return _page(502, "The request could not be satisfied", text)


def _page(status: int, title: str, text: str) -> Stored:
    body = (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{STYLE}</style>"
        f'<main><p class="banner">local cloud</p><h1>{escape(title)}</h1>{text}</main></html>'
    )
    return Stored(
        status,
        (("content-type", "text/html; charset=utf-8"), ("cache-control", "no-store")),
        body.encode(),
        x_cache="Error from cloudfront",
    )
