"""What the audit log watches here: who may deploy, how, who hears of it, and what is published."""

from django.db import migrations

from sites.audit.watch import watch, watch_flips


class Migration(migrations.Migration):

    dependencies = [
        ("deployments", "0005_list_indexes"),
        ("sites", "0013_audit_log"),
    ]

    operations = [
        watch("deployments_deploysettings", secret=["protection", "cookie_key"]),
        watch("deployments_deploytoken", ignored=["last_used_at"], secret=["digest"]),
        watch("deployments_trustedrepository"),
        watch("deployments_repository", secret=["secret", "status_token"]),
        watch("deployments_listener", secret=["secret"]),
        watch_flips("deployments_deployment", "is_published"),
    ]
