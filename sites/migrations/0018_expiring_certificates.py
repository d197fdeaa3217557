from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("sites", "0017_words_of_operations")]

    operations = [
        migrations.AddField(
            model_name="resource",
            name="expires_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="resource",
            name="renewal",
            field=models.JSONField(
                blank=True, default=dict, help_text="What AWS says of renewing it in time."
            ),
        ),
    ]
