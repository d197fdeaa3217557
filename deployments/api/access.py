"""Who asks, for which site, how often."""

from __future__ import annotations

import logging
import math
import time
from functools import lru_cache

from django.conf import settings
from django.http import HttpRequest
from limits import RateLimitItemPerMinute
from limits.storage import RedisStorage
from limits.strategies import MovingWindowRateLimiter
from ninja.security import HttpBearer
from redis import RedisError

from deployments import tokens
from deployments.api.problems import ApiError, NotFound, ScopeMissing
from deployments.models import DeployToken
from sites.models import Site

logger = logging.getLogger(__name__)


class Bearer(HttpBearer):
    """``Authorization: Bearer cad_…``"""

    def authenticate(self, request: HttpRequest, token: str) -> DeployToken:
        row = tokens.verify(token)
        limit("token", str(row.pk), settings.CLOUDADMIN_API_RATE)
        return row


def token_of(request: HttpRequest) -> DeployToken:
    token: DeployToken = request.auth  # type: ignore[attr-defined]  # by ninja, from Bearer
    return token


def site_of(request: HttpRequest, name: str, scope: str) -> Site:
    """The token's own site; of the others nothing is told, not even that they exist."""
    token = token_of(request)
    if token.site.name != name:
        raise NotFound(f"The token knows no site “{name[:60]}”; it is for “{token.site.name}”.")
    require(request, scope)
    return token.site


def require(request: HttpRequest, scope: str) -> None:
    if not tokens.allows(token_of(request), scope):
        raise ScopeMissing(scope)


def limit(what: str, who: str, a_minute: int) -> None:
    """One count for all processes. Without Redis nothing is limited, and nothing stands still."""
    item = RateLimitItemPerMinute(a_minute)
    limiter = MovingWindowRateLimiter(_storage(settings.REDIS_URL))
    try:
        if limiter.hit(item, "api", what, who):
            return
        wait = limiter.get_window_stats(item, "api", what, who).reset_time - time.time()
    except RedisError:
        logger.warning("Redis does not answer: requests to the API are not limited")
        return
    seconds = max(1, math.ceil(wait))
    raise ApiError(
        429,
        f"More than {a_minute} requests in a minute; wait {seconds} s.",
        headers={"Retry-After": str(seconds)},
    )


@lru_cache(maxsize=1)
def _storage(url: str) -> RedisStorage:
    return RedisStorage(url, wrap_exceptions=False, socket_connect_timeout=1, socket_timeout=1)
