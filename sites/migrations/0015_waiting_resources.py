from django.db import migrations, models

from sites.large_tables import AddIndex


class Migration(migrations.Migration):
    # The tables may be large and in use.
    atomic = False

    dependencies = [("sites", "0014_audit_of_second_factors")]

    operations = [
        AddIndex(
            model_name="resource",
            index=models.Index(
                fields=["waiting_since"],
                condition=models.Q(("is_ready", False), ("waiting_since__isnull", False)),
                name="waiting_resources",
            ),
        ),
    ]
