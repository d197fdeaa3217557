"""Every refusal of the API in one form: problem details (RFC 9457), for people and for programs.

https://www.rfc-editor.org/rfc/rfc9457
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from http import HTTPStatus
from typing import Any

from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, UnreadablePostError
from django.utils.deprecation import MiddlewareMixin
from ninja import NinjaAPI, Schema
from ninja.errors import AuthenticationError, HttpError, ValidationError

from deployments.errors import DeploymentRefused
from deployments.oidc import IdentityRefused
from deployments.source import SourceRefused
from deployments.tokens import TokenRefused
from sites.errors import Refused, for_people
from sites.models.lease import LeaseLost

CONTENT_TYPE = "application/problem+json"
PREFIX = "/api/"
RETRY_AFTER_SECONDS = 5


class Mistake(Schema):
    """One field that is not as it has to be."""

    where: str
    what: str


class Problem(Schema):
    """``title`` is the same for every problem of its ``status``; ``detail`` is about this one."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[Mistake] = []


class ApiError(Exception):
    """Answered as it says. ``members`` are further members of the problem."""

    def __init__(
        self, status: int, detail: str, *, headers: Mapping[str, str] | None = None, **members: Any
    ) -> None:
        super().__init__(detail)
        self.status, self.detail = HTTPStatus(status), detail
        self.headers, self.members = dict(headers or {}), members


class ScopeMissing(ApiError):
    def __init__(self, scope: str) -> None:
        super().__init__(
            403,
            f"The token lacks the scope “{scope}”; make one that has it.",
            headers={"WWW-Authenticate": challenge("insufficient_scope", scope=scope)},
            scope=scope,
        )


class NotFound(ApiError):
    def __init__(self, detail: str) -> None:
        super().__init__(404, detail)


def refusals(*statuses: int) -> dict[Any, Any]:
    """What an operation may answer beside its success, for its documentation."""
    return dict.fromkeys(sorted({400, 401, 403, 404, 429, 503, *statuses}), Problem)


def challenge(error: str = "", **parameters: str) -> str:
    """How to authenticate, as RFC 6750 has it: a quoted string is plain ASCII without quotes."""
    pairs = {"realm": "cloudadmin", **({"error": error} if error else {}), **parameters}
    return "Bearer " + ", ".join(f'{name}="{_plain(value)}"' for name, value in pairs.items())


def answer(error: ApiError) -> HttpResponse:
    problem = {
        "type": "about:blank",
        "title": error.status.phrase,
        "status": int(error.status),
        "detail": error.detail,
        **error.members,
    }
    return HttpResponse(
        json.dumps(problem, ensure_ascii=False),
        status=error.status,
        content_type=CONTENT_TYPE,
        headers=error.headers,
    )


def register(api: NinjaAPI) -> None:
    """Have the API answer every error of ours, and what the outside world refuses, as a problem."""
    handlers: dict[type[Exception], Callable[[Any], ApiError]] = {
        ApiError: lambda error: error,
        AuthenticationError: _unauthenticated,
        TokenRefused: _token_refused,
        IdentityRefused: lambda error: ApiError(403, str(error)),
        SourceRefused: lambda error: ApiError(422, str(error)),
        Refused: _refused,
        LeaseLost: _overtaken,
        ValidationError: lambda error: invalid(error.errors),
        HttpError: lambda error: ApiError(error.status_code, f"{error}."),
        Http404: lambda error: ApiError(404, "There is nothing here."),
        UnreadablePostError: lambda error: ApiError(400, "The body ended early; send it again."),
        RequestDataTooBig: lambda error: too_large("2.5 MB"),
        SuspiciousOperation: lambda error: ApiError(400, f"{error}"),
    }
    for kind, describe in handlers.items():
        api.add_exception_handler(kind, partial(_handle, describe))
    api.add_exception_handler(Exception, _of_the_world)


def invalid(errors: Iterable[Mapping[str, Any]]) -> ApiError:
    """Pydantic's findings: where, what, what to try."""
    mistakes = [
        {"where": ".".join(map(str, error["loc"])), "what": f"{error['msg']}."} for error in errors
    ]
    shown = "; ".join(f"{m['where']}: {m['what']}" for m in mistakes[:3])
    return ApiError(422, f"The request is not as documented. {shown}", errors=mistakes[:100])


def too_large(limit: str) -> ApiError:
    return ApiError(413, f"The body is larger than {limit}, which is the limit here.")


class ProblemMiddleware(MiddlewareMixin):
    """What Django itself refuses under /api/ is a problem too, and no page."""

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        is_ours = request.path.startswith(PREFIX)
        if response.status_code < 400 or not is_ours or _is_problem(response):
            return response
        kept = {name: response[name] for name in ("Allow", "Retry-After") if name in response}
        return answer(ApiError(response.status_code, _detail_of(request, response), headers=kept))


def _is_problem(response: HttpResponseBase) -> bool:
    return bool(response.get("Content-Type", "").startswith(CONTENT_TYPE))


def _detail_of(request: HttpRequest, response: HttpResponseBase) -> str:
    match response.status_code:
        case 404:
            return f"There is no {request.path}; /api/v1/docs lists what there is."
        case 405:
            return f"{request.method} is nothing that can be done here; {response['Allow']} is."
        case status if status >= 500:
            return "cloudadmin itself failed here; the server's log has the details."
    return "The request cannot be understood; /api/v1/docs says how it has to be."


def _handle(describe: Callable[[Any], ApiError], request: HttpRequest, error: Any) -> HttpResponse:
    return answer(describe(error))


def _unauthenticated(error: AuthenticationError) -> ApiError:
    return ApiError(
        401,
        "Send a token of the site: “Authorization: Bearer cad_…”. The site's page in the dashboard "
        "makes one.",
        headers={"WWW-Authenticate": challenge()},
    )


def _token_refused(error: TokenRefused) -> ApiError:
    header = challenge("invalid_token", error_description=str(error))
    return ApiError(401, str(error), headers={"WWW-Authenticate": header})


def _refused(error: Refused) -> ApiError:
    """What the site cannot have is a conflict; what does not answer now is asked again."""
    if error.try_again and not isinstance(error, DeploymentRefused):
        return ApiError(503, str(error), headers={"Retry-After": str(RETRY_AFTER_SECONDS)})
    return ApiError(409, str(error))


def _overtaken(error: LeaseLost) -> ApiError:
    return ApiError(
        409,
        "Meanwhile the deployment went on, or ended, by another request; ask for it to see how it "
        "is now.",
    )


def _of_the_world(request: HttpRequest, error: Any) -> HttpResponse:
    try:
        with for_people():
            raise error
    except Refused as refused:
        return answer(_refused(refused))


def _plain(value: str) -> str:
    return re.sub(r'[^\x20-\x7e]|["\\]', "'", value)
