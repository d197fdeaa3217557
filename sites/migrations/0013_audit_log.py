"""The audit log: its table, the functions that write and seal it, and what is watched.

Why it is done this way: docs/adr/0011-audit-log-by-triggers.md.
"""

import django.db.models.functions.datetime
from django.db import migrations, models

from sites.audit.watch import watch, watch_requests

# What the log keeps of a row, and hides of it.
WRITE = """
CREATE FUNCTION sites_audit_hide(columns jsonb, secret text[]) RETURNS jsonb
LANGUAGE sql IMMUTABLE AS $$
    SELECT jsonb_object_agg(key, CASE
        WHEN key = ANY (secret) AND value NOT IN ('null', '""', '[]', '{}') THEN '"(secret)"'
        ELSE value END)
    FROM jsonb_each(columns)
$$;

CREATE FUNCTION sites_audit_row() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    ignored text[] := string_to_array(TG_ARGV[0], ',');
    secret text[] := string_to_array(TG_ARGV[1], ',');
    actor jsonb := coalesce(nullif(current_setting('cloudadmin.actor', true), ''), '{}');
    whole jsonb;
    before jsonb;
    after jsonb;
    of_site bigint;
    of_team bigint;
    name_of_site text;
BEGIN
    IF TG_ARGV[2] <> '' THEN
        -- One column, in a table whose rows are large.
        EXECUTE format('SELECT jsonb_build_object(%1$L, ($1).%1$I), jsonb_build_object(%1$L,'
            ' ($2).%1$I), jsonb_build_object(''id'', ($2).id, ''site_id'', ($2).site_id,'
            ' ''number'', ($2).number)', TG_ARGV[2]) INTO before, after, whole USING OLD, NEW;
    ELSE
        IF TG_OP <> 'INSERT' THEN before := to_jsonb(OLD) - ignored; END IF;
        IF TG_OP <> 'DELETE' THEN after := to_jsonb(NEW) - ignored; END IF;
        whole := coalesce(after, before);
    END IF;
    IF TG_OP = 'UPDATE' THEN
        SELECT jsonb_object_agg(key, before -> key), jsonb_object_agg(key, after -> key)
            INTO before, after FROM jsonb_object_keys(after) key
            WHERE before -> key IS DISTINCT FROM after -> key;
        IF after IS NULL THEN RETURN NULL; END IF;
    END IF;
    IF TG_TABLE_NAME = 'sites_site' THEN
        of_site := whole ->> 'id';
        of_team := whole ->> 'team_id';
        name_of_site := whole ->> 'name';
    ELSE
        of_site := whole ->> 'site_id';
        SELECT name, team_id INTO name_of_site, of_team FROM sites_site WHERE id = of_site;
        of_team := CASE TG_TABLE_NAME WHEN 'sites_team' THEN (whole ->> 'id')::bigint
            ELSE coalesce((whole ->> 'team_id')::bigint, of_team) END;
    END IF;
    INSERT INTO sites_auditentry (actor_id, actor, via, address, request, act, table_name, row_id,
        label, site_id, site_name, team_id, before, after, previous, digest)
    VALUES ((actor ->> 'id')::bigint, left(coalesce(actor ->> 'name', session_user), 300),
        coalesce(actor ->> 'via', 'sql'), coalesce(actor ->> 'address', ''),
        coalesce(actor ->> 'request', ''), lower(TG_OP), TG_TABLE_NAME,
        coalesce(whole ->> 'id', ''),
        left(coalesce(whole ->> 'name', whole ->> 'username', nullif(whole ->> 'full_name', ''),
            whole ->> 'repository', whole ->> 'address', whole ->> 'url', whole ->> 'email',
            (SELECT username FROM auth_user WHERE id = (whole ->> 'user_id')::bigint),
            '#' || (whole ->> 'number'), whole ->> 'kind', whole ->> 'act', ''), 300),
        of_site, coalesce(name_of_site, whole ->> 'site_name', ''), of_team,
        sites_audit_hide(before, secret), sites_audit_hide(after, secret), '', '');
    RETURN NULL;
END $$;

CREATE FUNCTION sites_audit_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    actor jsonb := coalesce(nullif(current_setting('cloudadmin.actor', true), ''), '{}');
BEGIN
    INSERT INTO sites_auditentry (actor_id, actor, via, address, request, act, table_name, row_id,
        label, site_name, previous, digest)
    VALUES ((actor ->> 'id')::bigint, left(coalesce(actor ->> 'name', session_user), 300),
        coalesce(actor ->> 'via', 'sql'), coalesce(actor ->> 'address', ''),
        coalesce(actor ->> 'request', ''), 'truncate', TG_TABLE_NAME, '', '', '', '', '');
    RETURN NULL;
END $$;
"""

# The chain. Entries are sealed when their transaction ends, in two rounds: the first lets all other
# deferred checks go by, so that whoever holds the lock waits for nobody, and nobody can deadlock.
SEAL = """
CREATE FUNCTION sites_audit_text(entry sites_auditentry) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_array(entry.number, entry.id,
        to_char(entry.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), entry.actor_id,
        entry.actor, entry.via, entry.address, entry.request, entry.act, entry.table_name,
        entry.row_id, entry.label, entry.site_id, entry.site_name, entry.team_id, entry.before,
        entry.after)::text
$$;

CREATE FUNCTION sites_audit_seal() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    last record;
    entry sites_auditentry;
BEGIN
    IF TG_OP = 'INSERT' THEN
        UPDATE sites_auditentry SET number = -id WHERE id = NEW.id;
        RETURN NULL;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('cloudadmin.audit'));
    SELECT number, digest INTO last FROM sites_auditentry
        WHERE number > 0 ORDER BY number DESC LIMIT 1;
    entry := NEW;
    entry.number := coalesce(last.number, 0) + 1;
    entry.previous := coalesce(last.digest, '');
    UPDATE sites_auditentry SET number = entry.number, previous = entry.previous,
        digest = encode(sha256(convert_to(entry.previous || sites_audit_text(entry), 'UTF8')), 'hex')
        WHERE id = NEW.id;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER audit_seal AFTER INSERT OR UPDATE ON sites_auditentry
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.digest = '')
    EXECUTE FUNCTION sites_audit_seal();
"""

# An entry is what the database says it is, and stays so.
GUARD = """
CREATE FUNCTION sites_audit_begin() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.at := clock_timestamp();
    NEW.number := NULL;
    NEW.previous := '';
    NEW.digest := '';
    RETURN NEW;
END $$;

CREATE FUNCTION sites_audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        -- Not sealed yet, so of this very transaction: it gets its place in the chain.
        IF OLD.digest = '' AND to_jsonb(OLD) - '{number,previous,digest}'::text[]
            = to_jsonb(NEW) - '{number,previous,digest}'::text[] THEN RETURN NEW; END IF;
    END IF;
    RAISE EXCEPTION 'The audit log is append-only: % is refused.', TG_OP
        USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE TRIGGER audit_begin BEFORE INSERT ON sites_auditentry FOR EACH ROW
    EXECUTE FUNCTION sites_audit_begin();
CREATE TRIGGER audit_refuse BEFORE UPDATE OR DELETE ON sites_auditentry FOR EACH ROW
    EXECUTE FUNCTION sites_audit_refuse();
CREATE TRIGGER audit_refuse_truncate BEFORE TRUNCATE ON sites_auditentry FOR EACH STATEMENT
    EXECUTE FUNCTION sites_audit_refuse();
"""

FORGET = """
DROP FUNCTION IF EXISTS sites_audit_row, sites_audit_truncate, sites_audit_seal, sites_audit_refuse,
    sites_audit_begin, sites_audit_hide, sites_audit_text CASCADE
"""

# How far an operation is; what was asked for is the rest.
WORK = ["chosen", "lease_until", "claimed_at", "fence", "attempts", "plan", "waits", "next_check_at"]


class Migration(migrations.Migration):

    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ('sites', '0012_list_indexes'),
    ]

    operations = [
        migrations.CreateModel(
            name='AuditEntry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.BigIntegerField(editable=False, null=True, unique=True)),
                ('at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('actor_id', models.BigIntegerField(null=True)),
                ('actor', models.CharField(max_length=300)),
                ('via', models.CharField(choices=[('dashboard', 'Dashboard'), ('api', 'API'), ('command', 'Command line'), ('worker', 'Worker'), ('sql', 'Database')], max_length=20)),
                ('address', models.CharField(blank=True, max_length=45)),
                ('request', models.CharField(blank=True, max_length=32)),
                ('act', models.CharField(choices=[('insert', 'Added'), ('update', 'Changed'), ('delete', 'Deleted'), ('truncate', 'Emptied'), ('login', 'Logged in'), ('logout', 'Logged out'), ('login_failed', 'Login failed'), ('confirmed', 'Proved who they are'), ('factor_failed', 'Second factor failed')], max_length=20)),
                ('table', models.CharField(blank=True, db_column='table_name', max_length=63)),
                ('row_id', models.CharField(blank=True, max_length=64)),
                ('label', models.CharField(blank=True, help_text='What the row was called.', max_length=300)),
                ('site_id', models.BigIntegerField(null=True)),
                ('site_name', models.CharField(blank=True, max_length=120)),
                ('team_id', models.BigIntegerField(null=True)),
                ('before', models.JSONField(null=True)),
                ('after', models.JSONField(null=True)),
                ('previous', models.CharField(blank=True, editable=False, max_length=64)),
                ('digest', models.CharField(blank=True, editable=False, max_length=64)),
            ],
            options={
                'verbose_name': 'entry of the audit log',
                'verbose_name_plural': 'audit log',
                'ordering': ['-number'],
                'indexes': [models.Index(fields=['site_id', 'number'], name='audit_of_a_site'), models.Index(fields=['team_id', 'number'], name='audit_of_a_team'), models.Index(fields=['actor_id', 'number'], name='audit_of_a_person'), models.Index(fields=['table', 'number'], name='audit_of_a_table'), models.Index(fields=['at'], name='audit_by_time')],
            },
        ),
        migrations.RunSQL([WRITE, SEAL, GUARD], FORGET),
        watch("sites_account", ignored=["counter_instance"]),
        watch("sites_site", secret=["visitors_token"]),
        watch("sites_domain"),
        watch("sites_team"),
        watch("sites_membership"),
        watch("sites_invitation", secret=["digest"]),
        watch_requests("sites_operation", ignored=WORK),
        watch("auth_user", ignored=["last_login"], secret=["password"]),
        watch("auth_user_groups"),
        watch("auth_user_user_permissions"),
        watch("auth_group"),
        watch("auth_group_permissions"),
    ]
