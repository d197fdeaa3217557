"""Who is told of what happens to a site: webhooks, e-mail, chats, and the commit of a deployment.

notices     what goes on for days, told once
messages    one row for every event and receiver; kept as the log
delivery    one try of one message, and what comes of it
post        a signed webhook
addresses   the guard in front of it: no private address is reached
mail        a letter
chat        Slack, Discord, ntfy and the like, through apprise
words       what is said, harmless wherever it is shown
Statuses for a commit are ``deployments.notifications.github``'s.
"""

from deployments.notifications.messages import due, expire, tell, tell_missed
from deployments.notifications.notices import tell_notices

__all__ = ["due", "expire", "tell", "tell_missed", "tell_notices"]
