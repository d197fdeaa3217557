"""Hits that Lambda turned away: more came at once than the counter may answer.

The counter cannot tell, for it was never asked; CloudWatch counts them, by the minute.
https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html#concurrency-metrics
"""

from __future__ import annotations

from datetime import timedelta

from django.core.cache import cache
from django.utils import timezone

from cloudadmin.aws import BotoCoreError, ClientError
from sites.access import clients_for
from sites.models import Resource, Site

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
    key = f"throttling:{row.pk}"
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
    reserved = row.properties.get("ReservedConcurrentExecutions")
    if reserved:
        many = f"than the {reserved} that it answers at once"
        todo = f"`manage.py change_site {site.name} --counter-slots {site.counter_slots * 2}`"
    else:
        many = "at once than Lambda runs in this account"
        todo = f"ask for more in {QUOTA}"
    return (
        f"In the last 24 hours {count:,} requests to the counter were turned away: more came "
        f"{many}. They are in none of these numbers; their pages were shown, without a number. "
        f"If that is too many: {todo}."
    )
