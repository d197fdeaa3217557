"""Browsers by the names that people know them by."""

from django.template import Library

register = Library()

# The first that is found, for most name others too.
# https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/User-Agent
BROWSERS = {
    "Edg": "Edge",
    "OPR": "Opera",
    "Firefox": "Firefox",
    "Chrome": "Chrome",
    "Safari": "Safari",
}
SYSTEMS = {
    "iPhone": "an iPhone",
    "iPad": "an iPad",
    "Android": "Android",
    "Windows": "Windows",
    "Mac OS": "a Mac",
    "Linux": "Linux",
}


@register.filter
def browser(user_agent: str) -> str:
    found = next((name for word, name in BROWSERS.items() if word in user_agent), "Some browser")
    system = next((name for word, name in SYSTEMS.items() if word in user_agent), "")
    return f"{found} on {system}" if system else found
