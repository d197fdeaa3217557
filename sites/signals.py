"""What other apps may want to know; ``sites`` itself imports none of them."""

from django.dispatch import Signal

# Sent with ``site`` when a provisioning pass found everything in place: its hosts may have changed.
site_provisioned = Signal()
