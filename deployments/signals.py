"""What the rest of the house may want to know of deployments."""

from django.dispatch import Signal

# Sent with ``deployment`` and ``event`` (models.Event), after the commit that made it so.
deployment_changed = Signal()
