"""How people log in is watched as well."""

from django.db import migrations

from sites.audit.watch import watch


class Migration(migrations.Migration):

    dependencies = [
        ("account", "0009_emailaddress_unique_primary_email"),
        ("mfa", "0003_authenticator_type_uniq"),
        ("sites", "0013_audit_log"),
    ]

    operations = [
        watch("mfa_authenticator", ignored=["last_used_at"], secret=["data"]),
        watch("account_emailaddress"),
    ]
