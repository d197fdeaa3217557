"""Leading a person to a page and back to where they were."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.http import urlencode


def lead_to(request: HttpRequest, url: str) -> HttpResponse:
    """To ``url``, with ``next`` back to the page that the person sees now.

    htmx would put a redirect's page into a part of this one; it is told to leave the page instead.
    """
    address = f"{url}?{urlencode({'next': page_of(request)})}"
    if is_htmx(request):
        return HttpResponse(status=204, headers={"HX-Redirect": address})
    return HttpResponseRedirect(address)


def page_of(request: HttpRequest) -> str:
    """The path of the page that is shown, which for a part of it is not the request's own."""
    if is_htmx(request):
        shown = urlsplit(request.headers.get("HX-Current-URL", ""))
        if shown.path:
            return f"{shown.path}?{shown.query}" if shown.query else shown.path
    return request.get_full_path()


def is_htmx(request: HttpRequest) -> bool:
    return request.headers.get("HX-Request") == "true"
