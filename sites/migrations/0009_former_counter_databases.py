from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("sites", "0008_pruned_hours"),
    ]

    operations = [
        migrations.AddField(
            model_name="visitcursor",
            name="former",
            field=models.JSONField(
                default=dict,
                help_text="Epoch, position and time of the last pull of each database in which "
                "sites count until they are provisioned anew, by its address.",
            ),
        ),
    ]
