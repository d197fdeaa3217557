from django.db import migrations, models

from sites.large_tables import AddIndex


class Migration(migrations.Migration):
    # The tables may be large and in use.
    atomic = False

    dependencies = [("deployments", "0007_deployment_events")]

    operations = [
        AddIndex(
            model_name="deployment",
            index=models.Index(
                fields=["site", "number"],
                condition=models.Q(("state", "success")),
                name="deployments_succeeded",
            ),
        ),
    ]
