import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

KIND = models.PositiveSmallIntegerField(
    choices=[
        (0, "Left out"),
        (1, "Page"),
        (2, "Referrer"),
        (3, "Country"),
        (4, "Device"),
        (5, "Deployment"),
        (6, "Minute"),
        (7, "All"),
    ]
)


def sums():
    return [
        ("kind", KIND.clone()),
        ("value", models.CharField(blank=True, db_collation="C", max_length=500)),
        ("pageviews", models.PositiveBigIntegerField(default=0)),
        ("visits", models.PositiveBigIntegerField(default=0)),
        ("visitors", models.PositiveBigIntegerField(default=0)),
        ("bots", models.PositiveBigIntegerField(default=0)),
    ]


def site(related_name):
    return models.ForeignKey(
        db_index=False,
        on_delete=django.db.models.deletion.CASCADE,
        related_name=related_name,
        to="sites.site",
    )


NUMBERS = """
    pageviews bigint NOT NULL CHECK (pageviews >= 0),
    visits    bigint NOT NULL CHECK (visits >= 0),
    visitors  bigint NOT NULL CHECK (visitors >= 0),
    bots      bigint NOT NULL CHECK (bots >= 0)
"""

# Django makes no partitioned tables. Here a partition is a month, as in sites/visits/partitions.py.
# In the keys, what a sync writes of a site is side by side. The other index is for what is asked of
# all sites, and for what is deleted.
HOURS = f"""
    ALTER TABLE sites_visitcount RENAME TO sites_visitcount_by_path;

    CREATE TABLE sites_visitcount (
        site_id   bigint NOT NULL REFERENCES sites_site (id) DEFERRABLE INITIALLY DEFERRED,
        kind      smallint NOT NULL CHECK (kind >= 0),
        hour      timestamptz NOT NULL,
        value     varchar(500) COLLATE "C" NOT NULL,
        epoch     smallint NOT NULL,
        {NUMBERS},
        PRIMARY KEY (site_id, hour, kind, value, epoch)
    ) PARTITION BY RANGE (hour);
    CREATE INDEX sites_visitcount_kind_hour ON sites_visitcount (kind, hour)
        WHERE kind IN (0, 6, 7);

    DO $$
    DECLARE
        today date := (now() AT TIME ZONE 'UTC')::date;
        first date;
    BEGIN
        FOR first IN SELECT generate_series(
            date_trunc('month', (today - 90)::timestamp),
            date_trunc('month', today::timestamp) + interval '1 month', interval '1 month')
        LOOP
            EXECUTE format(
                'CREATE TABLE %I PARTITION OF sites_visitcount'
                ' FOR VALUES FROM (%L) TO (%L) WITH (fillfactor = 80)',
                to_char(first, '"sites_visitcount_"YYYY_MM'),
                first::text || ' 00:00+00',
                (first + interval '1 month')::date::text || ' 00:00+00');
        END LOOP;
    END $$;
"""

# The rows of all hits have a partition of their own: of many sites, they are read by day. The room
# in the pages is for updates that leave the indexes alone.
# https://www.postgresql.org/docs/current/storage-hot.html
DAYS = f"""
    CREATE TABLE sites_visitday (
        site_id   bigint NOT NULL REFERENCES sites_site (id) DEFERRABLE INITIALLY DEFERRED,
        kind      smallint NOT NULL CHECK (kind >= 0),
        day       date NOT NULL,
        value     varchar(500) COLLATE "C" NOT NULL,
        {NUMBERS},
        PRIMARY KEY (site_id, day, kind, value)
    ) PARTITION BY LIST (kind);
    CREATE TABLE sites_visitday_all PARTITION OF sites_visitday
        FOR VALUES IN (7) WITH (fillfactor = 80);
    CREATE TABLE sites_visitday_divided PARTITION OF sites_visitday
        DEFAULT WITH (fillfactor = 80);
    CREATE INDEX sites_visitday_all_day ON sites_visitday_all (day);
"""

# Whatever is written to the days, also what goes with a site that is deleted, is written to the
# days of all sites in the same statement. Changes are sums that may be negative, hence no checks.
# All sites share its rows, and a statement that inserts and updates would take their locks in two
# rounds: so whoever writes days has his turn until his transaction ends.
# https://www.postgresql.org/docs/current/sql-createtrigger.html
OVERALL = """
    CREATE TABLE sites_overallday (
        kind      smallint NOT NULL,
        day       date NOT NULL,
        value     varchar(500) COLLATE "C" NOT NULL,
        pageviews bigint NOT NULL,
        visits    bigint NOT NULL,
        visitors  bigint NOT NULL,
        bots      bigint NOT NULL,
        PRIMARY KEY (kind, day, value)
    ) WITH (fillfactor = 80);
"""
TURNS = """
    CREATE FUNCTION sites_visitday_turn() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_advisory_xact_lock(TG_RELID::bigint);
        RETURN NULL;
    END $$;
    CREATE TRIGGER overall_turn BEFORE INSERT OR UPDATE OR DELETE ON sites_visitday
        FOR EACH STATEMENT EXECUTE FUNCTION sites_visitday_turn();
"""
ON_CHANGE = """
    CREATE FUNCTION sites_visitday_{event}() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO sites_overallday AS o (kind, day, value, pageviews, visits, visitors, bots)
        SELECT kind, day, value, sum(pageviews), sum(visits), sum(visitors), sum(bots)
        FROM ({changes}) AS changes
        WHERE kind IN (0, 2, 3, 4, 7)
        GROUP BY kind, day, value
        ON CONFLICT (kind, day, value) DO UPDATE SET
            pageviews = o.pageviews + excluded.pageviews,
            visits = o.visits + excluded.visits,
            visitors = o.visitors + excluded.visitors,
            bots = o.bots + excluded.bots;
        RETURN NULL;
    END $$;
    CREATE TRIGGER overall_{event} AFTER {event} ON sites_visitday REFERENCING {tables}
        FOR EACH STATEMENT EXECUTE FUNCTION sites_visitday_{event}();
"""
CAME = "SELECT kind, day, value, pageviews, visits, visitors, bots FROM came"
WENT = """
    SELECT kind, day, value, -pageviews AS pageviews, -visits AS visits, -visitors AS visitors,
           -bots AS bots
    FROM went
"""
CHANGES = {
    "insert": ("NEW TABLE AS came", CAME),
    "update": ("NEW TABLE AS came OLD TABLE AS went", f"{CAME} UNION ALL {WENT}"),
    "delete": ("OLD TABLE AS went", WENT),
}

# The hits of a path on a day, which is what was known so far, are those of its first hour.
MOVED = """
    INSERT INTO sites_visitday (site_id, kind, day, value, pageviews, visits, visitors, bots)
    SELECT site_id, 1, date, path, pageviews, visits, visits, bots FROM sites_visitcount_by_path
    UNION ALL
    SELECT site_id, 7, date, '', sum(pageviews), sum(visits), sum(visits), sum(bots)
    FROM sites_visitcount_by_path GROUP BY site_id, date;

    INSERT INTO sites_visitcount
        (site_id, kind, hour, value, epoch, pageviews, visits, visitors, bots)
    SELECT site_id, kind, day::timestamp AT TIME ZONE 'UTC', value, 0,
           pageviews, visits, visitors, bots
    FROM sites_visitday
    WHERE day >= date_trunc('month', (now() AT TIME ZONE 'UTC') - interval '90 days');

    DROP TABLE sites_visitcount_by_path;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("sites", "0005_wildcard_domains"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="site",
            name="injects_snippet",
            field=models.BooleanField(
                default=False,
                help_text="Each deploy puts the snippet's script into the HTML pages.",
                verbose_name="add the counter to every page",
            ),
        ),
        migrations.AddField(
            model_name="site",
            name="visitors_token",
            field=models.CharField(
                blank=True,
                default="",
                editable=False,
                help_text="Part of the address where everybody may see the statistics; empty: nobody.",
                max_length=43,
            ),
            preserve_default=False,
        ),
        migrations.AddConstraint(
            model_name="site",
            constraint=models.UniqueConstraint(
                condition=models.Q(("visitors_token", ""), _negated=True),
                fields=("visitors_token",),
                name="one_site_per_visitors_token",
            ),
        ),
        migrations.AddField(
            model_name="visitcursor",
            name="epoch_numbers",
            field=models.JSONField(
                default=dict,
                help_text="The number of every epoch that was read; VisitCount has it.",
            ),
        ),
        migrations.RunSQL(
            """
            UPDATE sites_visitcursor SET epoch_numbers = jsonb_build_object(epoch::text, 0)
            WHERE epoch IS NOT NULL
            """,
            migrations.RunSQL.noop,
        ),
        migrations.AddField(
            model_name="visitcursor",
            name="reader",
            field=models.CharField(
                choices=[("direct", "Direct"), ("invoked", "Invoked")],
                default="direct",
                help_text="How the last pull read, and how the next one tries first.",
                max_length=10,
            ),
        ),
        migrations.CreateModel(
            name="VisitImport",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "source",
                    models.CharField(
                        choices=[("goatcounter", "GoatCounter"), ("plausible", "Plausible")],
                        max_length=20,
                    ),
                ),
                ("file_name", models.CharField(max_length=255)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("first_day", models.DateField()),
                ("last_day", models.DateField()),
                ("pageviews", models.PositiveBigIntegerField()),
                (
                    "days_left",
                    models.PositiveIntegerField(
                        default=0,
                        help_text="Days of the file that were left to our own counter.",
                    ),
                ),
                (
                    "creator",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "site",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="visit_imports",
                        to="sites.site",
                    ),
                ),
            ],
            options={"ordering": ["-created_at"]},
        ),
        migrations.CreateModel(
            name="ImportedDay",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "visit_import",
                        "kind",
                        "day",
                        "value",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                *sums(),
                ("day", models.DateField()),
                (
                    "visit_import",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="imported_days",
                        to="sites.visitimport",
                    ),
                ),
            ],
            options={"abstract": False},
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(HOURS),
                migrations.RunSQL(DAYS),
                migrations.RunSQL(OVERALL),
                migrations.RunSQL(TURNS),
                *(
                    migrations.RunSQL(ON_CHANGE.format(event=event, tables=tables, changes=changes))
                    for event, (tables, changes) in CHANGES.items()
                ),
                migrations.RunSQL(MOVED),
            ],
            state_operations=[
                migrations.DeleteModel(name="VisitCount"),
                migrations.CreateModel(
                    name="VisitDay",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "site",
                                "day",
                                "kind",
                                "value",
                                blank=True,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        *sums(),
                        ("day", models.DateField()),
                        ("site", site("visit_days")),
                    ],
                    options={"abstract": False},
                ),
                migrations.CreateModel(
                    name="OverallDay",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "kind",
                                "day",
                                "value",
                                blank=True,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        *sums(),
                        ("day", models.DateField()),
                    ],
                    options={"abstract": False},
                ),
                migrations.CreateModel(
                    name="VisitCount",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "site",
                                "hour",
                                "kind",
                                "value",
                                "epoch",
                                blank=True,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        *sums(),
                        ("hour", models.DateTimeField()),
                        ("epoch", models.SmallIntegerField(default=0)),
                        ("site", site("visit_counts")),
                    ],
                    options={"abstract": False},
                ),
            ],
        ),
    ]
