"""Pages run and style nothing that stands in their HTML; what browsers say is in tests/looks."""

from __future__ import annotations

import re

import pytest

from tests.factories import SiteFactory, UserFactory

pytestmark = pytest.mark.django_db

INLINE = re.compile(
    r"<script(?![^>]*\bsrc=)(?![^>]*\btype=\"application/json\")[^>]*>"
    r"|<style\b[^>]*>"
    r"|<[a-z][^>]*\s(?:style|on[a-z]+|hx-on[:\w-]*|x-[a-z:.-]+|@[a-z.]+)=[^>]*>"
    r"|(?:href|src|action)=\"javascript:"
)


def test_a_page_has_nothing_inline_and_forbids_it(client):
    site, person = SiteFactory(live=True, serving=True), UserFactory(is_superuser=True)
    SiteFactory.create_batch(3)
    open_pages = ["/login/", "/password/reset/", "/api/v1/docs", "/visitors/nothing/"]
    pages = [
        *("/", "/sites/site/", "/sites/new/", f"/sites/site/{site.pk}/change/"),
        *("/deployments/deployment/", "/sites/operation/"),
        *("/deployments/deploytoken/add/", "/deployments/repository/add/"),
        *(f"/auth/user/{person.pk}/change/", f"/sites/site/{site.pk}/destroy/"),
        *("/second-factor/", "/second-factor/totp/activate/", "/second-factor/webauthn/add/"),
        *("/reauthenticate/", "/password/change/", "/sessions/", "/nothing/here/"),
    ]
    answers = {path: client.get(path) for path in open_pages}
    client.force_login(person)
    answers |= {path: client.get(path) for path in pages}

    for path, answer in answers.items():
        assert answer.status_code in (200, 404), path
        assert INLINE.findall(answer.content.decode()) == [], path
        policy = dict(part.split(" ", 1) for part in answer["Content-Security-Policy"].split("; "))
        assert policy == {
            "default-src": "'none'",
            "script-src": "'self'",
            "style-src": "'self'",
            "img-src": "'self' data:",
            "font-src": "'self'",
            "connect-src": "'self'",
            "form-action": "'self'",
            "frame-ancestors": "'none'",
            "base-uri": "'none'",
        }, path
