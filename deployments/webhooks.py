"""Where GitHub's webhooks come in."""

from __future__ import annotations

from http import HTTPStatus
from uuid import UUID

from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from deployments import pushes
from deployments.models import Delivery, Repository

# The body is read before its signature can be checked, so a stranger decides how much is read.
BODY_AT_MOST = 1_000_000

STATUS = {
    Delivery.Outcome.ACCEPTED: HTTPStatus.ACCEPTED,
    Delivery.Outcome.IGNORED: HTTPStatus.OK,
    Delivery.Outcome.REFUSED: HTTPStatus.UNPROCESSABLE_ENTITY,
}


@csrf_exempt
@require_POST
def github(request: HttpRequest, uid: UUID) -> JsonResponse:
    """202 accepted, 200 ignored, 401 not signed or no such hook, 413 too large, 422 refused; the
    body says why, and GitHub shows it among the hook's deliveries."""
    repository = Repository.objects.select_related("site__account").filter(uid=uid).first()
    body = _body(request)
    if body is None:
        reason = f"The body is larger than {BODY_AT_MOST:,} bytes."
        pushes.refuse(repository, request.headers, reason)
        return _answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, Delivery.Outcome.REFUSED, reason)
    try:
        delivery = pushes.receive(repository, request.headers, body)
    except pushes.Unsigned as unsigned:
        return _answer(HTTPStatus.UNAUTHORIZED, Delivery.Outcome.REFUSED, str(unsigned))
    outcome = Delivery.Outcome(delivery.outcome)
    return _answer(STATUS[outcome], outcome, delivery.reason)


def _body(request: HttpRequest) -> bytes | None:
    """None when it is too large, whatever the request says of its length."""
    length = request.headers.get("Content-Length", "")
    if length.isdecimal() and int(length) > BODY_AT_MOST:
        return None
    body = request.read(BODY_AT_MOST + 1)
    return body if len(body) <= BODY_AT_MOST else None


def _answer(status: HTTPStatus, outcome: Delivery.Outcome, reason: str) -> JsonResponse:
    return JsonResponse({"outcome": outcome.value, "reason": reason}, status=status)
