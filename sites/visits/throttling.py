"""Hits that Lambda turned away: more came at once than the counter may answer.

The counter cannot tell, for it was never asked; CloudWatch counts them, by the minute.
https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html#concurrency-metrics
"""

from __future__ import annotations

from datetime import timedelta

from django.core.cache import caches
from django.utils import timezone

from cloudadmin.aws import BotoCoreError, ClientError
from sites.access import clients_for
from sites.models import Resource, Site
from sites.models.site import MOST_SLOTS

SPAN = timedelta(hours=24)
# AWS is asked no more often than this, however often the page is looked at.
ASKED_EVERY = timedelta(minutes=5)
QUOTA = "AWS's Service Quotas (lambda L-B99A9384)"


def throttling(site: Site) -> str:
    """A sentence on the last 24 hours, with what to do; empty when nothing was turned away.

    Raises nothing: where AWS does not say, that is the sentence.
    """
    row = site.resources.filter(logical_id="lambda_function").exclude(physical_id="").first()
    if row is None:
        return ""
    key, cache = f"throttling:{row.pk}", caches["process"]
    told: str | None = cache.get(key)
    if told is None:
        told = _told(site, row)
        cache.set(key, told, ASKED_EVERY.total_seconds())
    return told


def turned_away(site: Site, function_name: str) -> int:
    """Requests of the last 24 hours. Raises ClientError and BotoCoreError."""
    now = timezone.now()
    answer = clients_for(site.account).cloudwatch.get_metric_statistics(
        Namespace="AWS/Lambda",
        MetricName="Throttles",
        Dimensions=[{"Name": "FunctionName", "Value": function_name}],
        StartTime=now - SPAN,
        EndTime=now,
        Period=3600,
        Statistics=["Sum"],
    )
    sums: list[float] = [point["Sum"] for point in answer["Datapoints"]]
    return round(sum(sums))


def _told(site: Site, row: Resource) -> str:
    try:
        count = turned_away(site, row.physical_id)
    except (ClientError, BotoCoreError) as error:
        return (
            "Whether Lambda turned hits away could not be asked "
            f"({str(error).rstrip('.')}). `manage.py iam_policy` prints the policy that is needed."
        )
    if not count:
        return ""
    many, todo = _limit(site, row)
    return (
        f"In the last 24 hours {count:,} requests to the counter were turned away: more came "
        f"{many}. They are in none of these numbers; their pages were shown, without a number. "
        f"If that is too many: {todo}."
    )


def _limit(site: Site, row: Resource) -> tuple[str, str]:
    """What was exceeded, and what raises it."""
    reserved = row.attributes.get("reserved")
    if reserved is None:
        return "at once than Lambda runs in this account", f"ask for more in {QUOTA}"
    many = f"than the {reserved} that it answers at once"
    if reserved < row.inputs.get("reserved_concurrency", 0):
        return many, f"ask for more in {QUOTA}, then provision the site"
    if site.counter_slots >= MOST_SLOTS:
        return many, f"no setting helps, for {MOST_SLOTS} slots are the most"
    slots = min(site.counter_slots * 2, MOST_SLOTS)
    return many, f"`manage.py change_site {site.name} --counter-slots {slots}`"
