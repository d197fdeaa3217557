"""What goes on for days is told once, and again at each step of it: a certificate that is not
renewed, a limit that is nearly reached. Home shows the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Count, QuerySet
from django.urls import reverse
from django.utils import timezone

from deployments.limits import Limit, nearly_reached
from deployments.models import Event, Listener, Notice
from deployments.notifications.messages import enqueue, listening
from sites.certificates import Lifetime, expiring
from sites.models import Account, Site

# What was not so for so long is over: should it come back, it is told anew.
OVER_AFTER = timedelta(days=1)


@dataclass(frozen=True)
class News:
    """``key`` is another one at each step; ``told`` is as ``Message`` has it."""

    key: str
    event: Event
    told: dict[str, Any]
    account: Account
    site: Site | None = None


def tell_notices(now: datetime | None = None) -> int:
    """Messages for what became so since the last look; how many."""
    now = now or timezone.now()
    found = {each.key: each for each in (*_certificates(now), *_limits())}
    known = set(Notice.objects.filter(key__in=found).values_list("key", flat=True))
    Notice.objects.filter(key__in=known).update(seen_at=now)
    told = sum(_tell(news, now) for key, news in found.items() if key not in known)
    Notice.objects.filter(seen_at__lt=now - OVER_AFTER).delete()
    return told


@transaction.atomic
def _tell(news: News, now: datetime) -> int:
    """Together with that it was told: of two lookers, and after a crash, once. What nobody listens
    to is told when somebody does."""
    listeners = list(_listeners(news))
    if not listeners:
        return 0
    _, is_new = Notice.objects.get_or_create(key=news.key, defaults={"seen_at": now})
    if not is_new:
        return 0
    about = {"site": news.site} if news.site else {"account": news.account}
    return len(enqueue(listeners, event=news.event, told=news.told, **about))


def _listeners(news: News) -> QuerySet[Listener]:
    """Of an account, those who hear of all of its sites: it is nobody else's matter."""
    if news.site:
        return listening(news.site, news.event)
    return Listener.objects.filter(
        account__aws_account_id=news.account.aws_account_id,
        is_active=True,
        events__contains=[news.event],
    )


def _certificates(now: datetime) -> Iterator[News]:
    for row in expiring(now).select_related("site__account"):
        life = Lifetime(row, now)
        if row.site is None or row.expires_at is None:
            continue
        yield News(
            f"certificate {row.pk} {row.expires_at:%Y-%m-%d} {life.step}",
            Event.CERTIFICATE,
            {
                "subject": f"{row.site.name}: {life.what} {life.when}",
                "url": reverse("admin:sites_site_domains", args=[row.site_id]),
                "data": {
                    "site": row.site.name,
                    "domains": life.domains,
                    "expires_at": row.expires_at.isoformat(),
                    "days_left": life.days_left,
                    "why": f"{life.why[0].upper()}{life.why[1:]}.",
                    "todo": life.todo,
                    "records": [
                        {"type": "CNAME", "name": name, "value": value}
                        for name, value in life.missing
                    ],
                },
            },
            row.site.account,
            row.site,
        )


def _limits() -> Iterator[News]:
    counts = Site.objects.order_by().values_list("state", "account").annotate(count=Count("*"))
    sites = {(state, account): count for state, account, count in counts}
    for limit in nearly_reached(list(Account.objects.all()), sites):
        yield News(limit.key, Event.LIMIT, _told(limit), limit.account, limit.site)


def _told(limit: Limit) -> dict[str, Any]:
    said = limit.says.rstrip(".")
    return {
        "subject": f"{limit.about}: {said[0].lower()}{said[1:]}",
        "url": limit.url,
        "data": {
            "site": limit.site.name if limit.site else None,
            "account": limit.account.name,
            "limit": limit.key.partition(" ")[0],
            "says": limit.says,
            "todo": limit.todo,
        },
    }
