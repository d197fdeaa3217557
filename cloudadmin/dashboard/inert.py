"""Text of others in our pages: escaped by the templates, and here kept from turning lines round.

A commit message, a file name or a name that AWS answers with may have characters that change the
direction of writing (https://trojansource.codes) or act on a terminal it is copied to. In a page
they are shown by their numbers, as in “⟨202E⟩”, whichever template it came from.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

# In UTF-8: C0 but tabs and line ends, DEL, C1, and what Unicode has for directions.
ACTING = re.compile(
    rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\xc2[\x80-\x9f]|\xd8\x9c"
    rb"|\xe2\x80[\x8e\x8f\xaa-\xae]|\xe2\x81[\xa6-\xa9]"
)

Handler = Callable[[HttpRequest], HttpResponse]


def inert_text(get_response: Handler) -> Handler:
    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        is_html = response.get("Content-Type", "").startswith("text/html")
        if is_html and not response.streaming and ACTING.search(response.content):
            response.content = ACTING.sub(_named, response.content)
        return response

    return middleware


def _named(found: re.Match[bytes]) -> bytes:
    return f"⟨{ord(found[0].decode()):02X}⟩".encode()
