from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("sites", "0010_people")]

    operations = [
        migrations.AddField(
            model_name="operation",
            name="by_hand",
            field=models.BooleanField(
                default=False,
                help_text="Each change is made when a person says so.",
                verbose_name="step by step",
            ),
        ),
        migrations.AddField(
            model_name="operation",
            name="chosen",
            field=models.CharField(
                blank=True,
                help_text="By hand: the logical id whose change was asked for.",
                max_length=60,
            ),
        ),
    ]
