"""What other apps may want to know; ``sites`` itself imports none of them."""

from django.dispatch import Signal

# Sent with ``site`` when a provisioning pass found everything in place: its hosts may have changed.
site_provisioned = Signal()

# Sent with ``site``, ``event`` (as in “operation.failed”), ``subject`` (without its stop) and
# ``data`` (for programs), where it can be in the transaction that made it so.
site_event = Signal()
