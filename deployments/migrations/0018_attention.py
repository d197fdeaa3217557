from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("deployments", "0017_notices")]

    operations = [
        migrations.AddField(
            model_name="deployment",
            name="needs_attention",
            field=models.BooleanField(
                default=False,
                help_text="It failed, and no later one of the site has made up for it.",
            ),
        ),
    ]
