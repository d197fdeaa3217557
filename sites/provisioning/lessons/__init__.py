"""What each thing is for, and the calls that make it, for people who want to know.

One lesson for each type of resource. The ``aws`` lines do the same by hand; ``NAME`` stands for the
thing's own name, and a file in them is one that its author writes.
"""

from __future__ import annotations

from dataclasses import replace

from sites.provisioning.lessons import counter, site
from sites.provisioning.lessons.lesson import Call, Lesson

__all__ = ["APART", "CHANGED", "LESSONS", "Call", "Lesson", "lesson_of"]

LESSONS = site.LESSONS | counter.LESSONS
# Of what was made before and is changed in a later step.
CHANGED = {
    "distribution": Call(
        "cloudfront",
        "UpdateDistribution",
        "connects what has become ready meanwhile: the certificate and your domain, or the "
        "visitor counter.",
        "--id ID --if-match ETAG --distribution-config file://distribution.json",
    ),
}


# Where a stack has several of a type, by logical id: title and reason of this one.
APART = {
    "artifact_bucket": (
        "Storage of the counter's code",
        "Lambda fetches the code of the counters from here.",
    ),
    "function": (
        "Code at the edge: addresses",
        "A small script that looks each address up in the index.",
    ),
    "function.headers": (
        "Code at the edge: headers",
        "A small script that puts your own headers on each answer.",
    ),
    "function_permission.call": (
        "Permission to count: the function",
        "Only your distribution may call the counter.",
    ),
    "function_permission.url": (
        "Permission to count: its address",
        "Only your distribution may use the counter's address.",
    ),
    "origin_access_control.lambda": (
        "Key to the visitor counter",
        "It lets CloudFront sign what it asks of the counters, so that they can stay private.",
    ),
    "origin_access_control.s3": (
        "Key to the storage",
        "It lets CloudFront sign what it asks of the storage, so that it can stay private.",
    ),
    "origin_request_policy": (
        "What the visitor counter is told",
        "It names what the counters are told about a visit, and leaves out the rest.",
    ),
    "origin_request_policy.router": (
        "What the code at the edge is told",
        "It adds the visitor's country, for redirects by country.",
    ),
}
RECORDS = {"A": "IPv4", "AAAA": "IPv6"}


def lesson_of(resource_type: str, action: str = "create", logical_id: str = "") -> Lesson:
    """Raises KeyError for a type that nobody explained."""
    lesson = LESSONS[resource_type]
    title, why = APART.get(logical_id, (lesson.title, lesson.why))
    if resource_type == "alias_record" and logical_id:
        title = f"{title} ({RECORDS[logical_id.split('.')[1]]})"
    if action == "create" or resource_type not in CHANGED:
        return replace(lesson, title=title, why=why)
    return Lesson(title, why, (CHANGED[resource_type],))
