"""The same words and colours in templates as in lists: ``{% badge %}`` and ``{% ago %}``."""

from django.template import Library

from sites.admin.base import ago, badge

register = Library()
register.simple_tag(badge)
register.simple_tag(ago)
