"""That many sites were acted on at once is in the audit log."""

from django.db import migrations

from sites.audit.watch import watch_requests


class Migration(migrations.Migration):

    dependencies = [("deployments", "0011_notifications")]

    operations = [watch_requests("deployments_bulkrun")]
