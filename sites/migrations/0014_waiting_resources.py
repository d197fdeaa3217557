from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    # The tables may be large and in use.
    atomic = False

    dependencies = [("sites", "0013_audit_log")]

    operations = [
        AddIndexConcurrently(
            model_name="resource",
            index=models.Index(
                fields=["waiting_since"],
                condition=models.Q(("waiting_since__isnull", False), ("is_ready", False)),
                name="waiting_resources",
            ),
        ),
    ]
