"""Who is told of a site's deployments: webhooks, e-mail, and the commit that was deployed.

messages    one row for every event and receiver; kept as the log
delivery    one try of one message, and what comes of it
post        a signed webhook
addresses   the guard in front of it: no private address is reached
mail        a letter
Statuses for a commit are ``deployments.notifications.github``'s.
"""

from deployments.notifications.messages import due, expire, tell, tell_missed

__all__ = ["due", "expire", "tell", "tell_missed"]
