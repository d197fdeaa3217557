from django.db import migrations, models

from sites.large_tables import AddIndex


class Migration(migrations.Migration):
    # The table may be large and in use.
    atomic = False

    dependencies = [("sites", "0019_words_of_states")]

    operations = [
        AddIndex(
            model_name="resource",
            index=models.Index(
                fields=["expires_at"],
                condition=models.Q(("expires_at__isnull", False)),
                name="expiring_resources",
            ),
        ),
    ]
