"""The counter's snippet, put into the pages of a site on their way into its bucket.

Nothing is decoded: what is looked for is ASCII, and these bytes mean the same in every encoding of
pages but UTF-16, which is left alone, and between ISO-2022-JP's escapes, where nothing is looked
for; so all other bytes stay as they are.

Only a document gets it, which says ``<!doctype html>``, ``<html>``, ``<head>`` or ``<body>``. What
says none of them is most likely a part that a script puts into documents (htmx, Turbo), where a
second snippet would count again. HTML allows a document without all four; it has its snippet to
put in by hand, as a page has that is larger than LARGEST.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sites.models import Site

SNIPPET = b'<script src="/_cloudadmin/visits.js" defer></script>'
# Several pages are in memory at once. In bytes, with the snippet.
LARGEST = 4 * 1024 * 1024
UTF_16 = (b"\xfe\xff", b"\xff\xfe")
# Of a page in lower case: Japanese in ISO-2022-JP, up to what switches back to ASCII.
JIS = re.compile(rb"\x1b(?:\$[@b]|\(i)[^\x1b]*+")

RAW = rb"(?:script|style|textarea|title|iframe|noembed|noframes|noscript|xmp)(?=[\s/>])"
# As browsers read them: a quote opens a value after "=" alone, and a ">" within ends no tag.
ATTRIBUTES = (
    rb"(?:[\s/]++"
    rb"|[^\s/>][^\s/>=]*+(?:\s*+=\s*+(?:\"[^\"]*+\"|'[^']*+'|[^\s>\"'][^\s>]*+|(?=>))|(?!\s*+=))"
    rb")*+"
)
# Of a page in lower case: all of its tags and comments, one after the other, so that none is looked
# for in another. A comment and the text of RAW elements hold no tags, whatever is in there. What is
# never closed swallows the rest of the page, so the snippet comes before it. Each branch is linear
# in the page.
# https://html.spec.whatwg.org/multipage/parsing.html#tokenization
TOKEN = re.compile(
    rb"<(?:!--(?:-?>|.*?--!?>)"
    rb"|(?P<doctype>!doctype\s+html(?=[\s>]))[^>]*+>"
    rb"|(?:!(?!--)|\?|/(?![a-z]))[^>]*+>"
    rb"|(?P<raw>" + RAW + rb")(?P<attributes>" + ATTRIBUTES + rb")>"
    rb"(?P<text>(?>.*?</(?P=raw)(?=[\s/>])))" + ATTRIBUTES + rb">"
    rb"|(?!" + RAW + rb")(?:(?P<opened>html|head|body)(?=[\s/>])"
    rb"|/(?P<closed>body|html)(?=[\s/>])|/?[a-z][^\s/>]*+)" + ATTRIBUTES + rb">"
    rb"|(?P<endless>[a-z/!?].*))",
    re.DOTALL,
)
SOURCE = re.compile(rb"\ssrc\s*=\s*[\"']?(?:(?:https?:)?//[^/\"'\s]+)?/_cloudadmin/visits\.js")
# Another one as soon as a page may become another one.
CHANGES = repr((SNIPPET, LARGEST, JIS.pattern, TOKEN.pattern, SOURCE.pattern))


def is_wanted(site: Site) -> bool:
    """Whether the site's pages shall get it: a site without a counter has no script to load."""
    return site.has_counter and site.injects_snippet


def is_page(content_type: str) -> bool:
    """XHTML is none: there an attribute without a value is an error that hides the page."""
    return content_type.partition(";")[0].strip().lower() == "text/html"


def inject(content: bytes) -> bytes:
    """The page with the snippet, before ``</body>`` if it has that; as it is if it has it already,
    is no document, would become larger than LARGEST, or has a script whose end is in doubt."""
    place = _place(content)
    return content if place is None else content[:place] + SNIPPET + content[place:]


def _place(page: bytes) -> int | None:
    if len(page) + len(SNIPPET) > LARGEST or page.startswith(UTF_16):
        return None
    page = JIS.sub(lambda found: b"x" * len(found[0]), page.lower())
    is_document, closed, end = False, dict[bytes, int](), len(page)
    for token in TOKEN.finditer(page):
        if token["raw"] == b"script" and (
            SOURCE.search(token["attributes"]) or _may_go_on(token["text"])
        ):
            return None
        if token["doctype"] or token["opened"]:
            is_document = True
        elif token["closed"]:
            closed[token["closed"]] = token.start()
        elif token["endless"]:
            end = token.start()
    return closed.get(b"body", closed.get(b"html", end)) if is_document else None


def _may_go_on(text: bytes) -> bool:
    """Behind "<!--" a script that names another one may not end where it seems to.

    https://html.spec.whatwg.org/multipage/scripting.html#restrictions-for-contents-of-script-elements
    """
    return b"<script" in text.partition(b"<!--")[2]
