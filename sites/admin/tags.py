"""The same words, colours and values in templates as in lists."""

from django.template import Library

from sites.admin.base import ago, badge, until
from sites.admin.values import change, copyable, said_and_todo, value
from sites.plain import plain
from sites.provisioning.costs import Cost, dollars
from sites.provisioning.lessons import APART, LESSONS

register = Library()
register.simple_tag(badge)
register.simple_tag(ago)
register.simple_tag(until)
register.simple_tag(value)
register.simple_tag(change, name="difference")
register.simple_tag(Cost.as_text, name="price")
register.filter(copyable)
register.filter("plain", lambda text: plain(str(text or "")))
register.filter(dollars)


@register.inclusion_tag("sites/error.html")
def error(message: str, role: str = "") -> dict[str, str]:
    """What went wrong, and apart from it what to try."""
    said, todo = said_and_todo(message)
    return {"said": said, "todo": todo, "role": role}


@register.filter
def called(resource_type: str, logical_id: str = "") -> str:
    """A resource as people would call it, as in “Private storage” for a bucket."""
    if logical_id in APART:
        return APART[logical_id][0]
    return LESSONS[resource_type].title if resource_type in LESSONS else resource_type
