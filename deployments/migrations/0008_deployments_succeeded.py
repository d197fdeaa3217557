from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    # The tables may be large and in use.
    atomic = False

    dependencies = [("deployments", "0007_deployment_events")]

    operations = [
        AddIndexConcurrently(
            model_name="deployment",
            index=models.Index(
                fields=["site", "number"],
                condition=models.Q(("state", "success")),
                name="deployments_succeeded",
            ),
        ),
    ]
