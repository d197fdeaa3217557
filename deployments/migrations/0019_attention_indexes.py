"""Which failed deployments need a person is written down, not looked for among all that failed."""

from django.contrib.postgres.operations import RemoveIndexConcurrently
from django.db import migrations, models

from sites.large_tables import AddIndex

# The last that failed, unless a later one succeeded; from the indexes that go afterwards.
UNREPAIRED = """
WITH failed AS MATERIALIZED (
  SELECT site_id, environment, max(number) AS number FROM deployments_deployment
  WHERE state IN ('failure', 'error') GROUP BY site_id, environment
)
UPDATE deployments_deployment SET needs_attention = true FROM failed
WHERE failed.site_id = deployments_deployment.site_id
  AND failed.number = deployments_deployment.number
  AND NOT EXISTS (
    SELECT FROM deployments_deployment later
    WHERE later.site_id = failed.site_id AND later.number > failed.number
      AND later.state = 'success' AND later.environment IN (failed.environment, 'production'))
"""


class Migration(migrations.Migration):
    # The tables may be large and in use. Each step can be run again, should a later one fail.
    atomic = False

    dependencies = [("deployments", "0018_attention")]

    operations = [
        migrations.RunSQL(UNREPAIRED, migrations.RunSQL.noop),
        # Without statistics PostgreSQL takes half of all rows for such ones.
        migrations.RunSQL(
            "ANALYZE deployments_deployment (needs_attention)", migrations.RunSQL.noop
        ),
        AddIndex(
            model_name="deployment",
            index=models.Index(
                fields=["-id"],
                condition=models.Q(("needs_attention", True)),
                name="deployments_of_attention",
            ),
        ),
        RemoveIndexConcurrently(model_name="deployment", name="deployments_succeeded"),
        RemoveIndexConcurrently(model_name="deployment", name="deployments_failed"),
        AddIndex(
            model_name="deployment",
            index=models.Index(
                fields=["-id"],
                condition=models.Q(("state__in", ["failure", "error"])),
                name="deployments_failed",
            ),
        ),
        RemoveIndexConcurrently(model_name="deployment", name="deployments_by_time"),
        AddIndex(
            model_name="deployment",
            index=models.Index(
                fields=["created_at"], include=["state"], name="deployments_by_time"
            ),
        ),
    ]
