"""That somebody launched a new site, how, and what of its files they let through."""

from django.db import migrations

from sites.audit.watch import watch

# How far it is, and what follows from the rest.
WORK = ["plan", "warnings", "refused", "was_sent", "error_message", "attempt", "updated_at"]
FILE = ["file", "file_count", "file_bytes"]


class Migration(migrations.Migration):

    dependencies = [("deployments", "0014_site_picture")]

    # Whatever is typed is kept, so that an address may hold a password until it is corrected.
    operations = [watch("deployments_launch", ignored=[*WORK, *FILE], secret=["git_url"])]
