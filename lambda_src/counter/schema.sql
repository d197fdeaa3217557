-- The counter database, shared by the sites of one account.
--
-- A line "-- version N" begins a version; "migrate" applies those that are missing, in order, each
-- in one transaction. One that answers a row has done a step, and is run again until it answers none.
-- A version that was released is never edited: add the next one.
--
-- Locks are taken in one order everywhere, so that nothing can deadlock:
-- salt, hit, visitor (by tokens, the most first), count (by kind), total. Version 1: salt, visitor,
-- page, total.

-- version 1

CREATE SCHEMA counter;

CREATE TABLE counter.schema_version (
    version    integer PRIMARY KEY,
    applied_at timestamptz NOT NULL DEFAULT now()
);

-- Names this database, so that a reader notices when it was made anew and its cursor means nothing.
CREATE TABLE counter.epoch (id uuid NOT NULL);
INSERT INTO counter.epoch VALUES (gen_random_uuid());

-- One secret per UTC day, 244 random bits. Yesterday's is deleted, and with it the only way to tell
-- whether a visitor of yesterday came back.
CREATE TABLE counter.salt (
    day  date PRIMARY KEY,
    salt bytea NOT NULL
);

-- The rate limit: five tokens for each visitor, each back one minute after it was taken. "taken" has
-- the times of the last five, the newest first; "hits" the ids of those hits, so that a hit that is
-- sent again after a lost answer is not counted again.
CREATE TABLE counter.visitor (
    site    uuid NOT NULL,
    visitor bytea NOT NULL,
    day     date NOT NULL,
    taken   timestamptz[] NOT NULL,
    hits    uuid[] NOT NULL,
    PRIMARY KEY (site, visitor)
) WITH (fillfactor = 70);
CREATE INDEX visitor_day ON counter.visitor (day);

-- "changed" is the transaction that last wrote the row, not a sequence: sequence numbers become
-- visible out of order (41 may commit after 42 was read), and a reader would skip 41 for ever. A
-- snapshot's xmin is the oldest transaction still running when it was taken, so a reader that next
-- starts from that xmin reads some rows twice but misses none.
-- https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-INFO-SNAPSHOT
CREATE TABLE counter.page (
    site      uuid NOT NULL,
    day       date NOT NULL,
    path      varchar(500) NOT NULL,
    pageviews bigint NOT NULL DEFAULT 0,
    visits    bigint NOT NULL DEFAULT 0,
    bots      bigint NOT NULL DEFAULT 0,
    changed   xid8 NOT NULL DEFAULT pg_current_xact_id(),
    PRIMARY KEY (site, day, path)
) WITH (fillfactor = 70);
CREATE INDEX page_changed ON counter.page (changed);

-- The number that the page shows: the hottest row, hence the last lock.
CREATE TABLE counter.total (
    site      uuid PRIMARY KEY,
    pageviews bigint NOT NULL
) WITH (fillfactor = 50);

-- Counts one hit and answers the site's pageviews; without a client it only answers.
-- "client" is a digest of address and user agent; it is salted here and kept only so.
CREATE FUNCTION counter.count_hit(
    p_site uuid, p_path text, p_client bytea, p_hit uuid, p_is_bot boolean, p_now timestamptz,
    OUT pageviews bigint, OUT counted boolean
) LANGUAGE plpgsql AS $$
DECLARE
    moment      timestamptz := coalesce(p_now, clock_timestamp());
    today       date := (moment AT TIME ZONE 'UTC')::date;
    day_salt    bytea;
    who         bytea;
    is_stranger boolean;
BEGIN
    counted := false;
    IF p_client IS NOT NULL THEN
        SELECT s.salt INTO day_salt FROM counter.salt s WHERE s.day = today;
        IF NOT FOUND THEN
            INSERT INTO counter.salt
                VALUES (today, uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))
                ON CONFLICT DO NOTHING;
            SELECT s.salt INTO day_salt FROM counter.salt s WHERE s.day = today;
            DELETE FROM counter.salt s WHERE s.day < today;
        END IF;
        who := sha256(day_salt || p_client);

        INSERT INTO counter.visitor AS v (site, visitor, day, taken, hits)
            VALUES (p_site, who, today, ARRAY[moment], ARRAY[p_hit])
            ON CONFLICT (site, visitor) DO UPDATE SET
                taken = (greatest(moment, v.taken[1]) || v.taken)[1:5],
                hits = (p_hit || v.hits)[1:5]
            WHERE p_hit <> ALL (v.hits)
                AND (v.taken[5] IS NULL
                     OR v.taken[5] <= greatest(moment, v.taken[1]) - interval '1 minute')
            RETURNING cardinality(v.taken) = 1 INTO is_stranger;

        IF is_stranger THEN  -- each newcomer sweeps out some of the visitors of days gone by
            DELETE FROM counter.visitor WHERE ctid = ANY (ARRAY(
                SELECT v.ctid FROM counter.visitor v WHERE v.day < today
                LIMIT 10 FOR UPDATE SKIP LOCKED));
        END IF;

        IF is_stranger IS NOT NULL THEN
            INSERT INTO counter.page AS p (site, day, path, pageviews, visits, bots)
                VALUES (p_site, today, p_path, (NOT p_is_bot)::int,
                        (is_stranger AND NOT p_is_bot)::int, p_is_bot::int)
                ON CONFLICT (site, day, path) DO UPDATE SET
                    pageviews = p.pageviews + excluded.pageviews,
                    visits = p.visits + excluded.visits,
                    bots = p.bots + excluded.bots,
                    changed = pg_current_xact_id();
            counted := NOT p_is_bot;
            IF counted THEN
                INSERT INTO counter.total AS t VALUES (p_site, 1)
                    ON CONFLICT (site) DO UPDATE SET pageviews = t.pageviews + 1
                    RETURNING t.pageviews INTO count_hit.pageviews;
                RETURN;
            END IF;
        ELSE  -- over the limit, or the same hit again
            counted := NOT p_is_bot AND EXISTS (
                SELECT FROM counter.visitor v
                WHERE v.site = p_site AND v.visitor = who AND p_hit = ANY (v.hits));
        END IF;
    END IF;
    SELECT t.pageviews INTO count_hit.pageviews FROM counter.total t WHERE t.site = p_site;
    count_hit.pageviews := coalesce(count_hit.pageviews, 0);
END $$;

-- version 2

-- What was counted, so that a hit that is sent again, after a lost answer or by somebody who wrote
-- it down, is counted once. "hit" is a digest of site, client and the hit's id: nobody can use up
-- the id of somebody else, and nobody can be told by it, for the id is random and kept nowhere.
-- "day" is the one that the id names, not the one on which it came: so it is found after midnight.
CREATE TABLE counter.hit (
    day date NOT NULL,
    hit uuid NOT NULL,
    PRIMARY KEY (day, hit)
);

-- One row for each hour (UTC) and each value of each kind. The kinds, and what "value" is:
--   0  left out    why hits were not counted; "pageviews" is how many, at least
--   1  path
--   2  referrer    a host; empty: none, or the site itself
--   3  country     ISO 3166-1 alpha-2; empty: unknown
--   4  device      desktop, mobile or tablet; empty: unknown
--   5  deployment  the number of the release that the page is of; empty: unknown
--   6  minute      of the hour, 00 to 59
--   7  all         empty
-- Bots are counted in 1, 6 and 7 alone. What a key has is the sum of its slots: see counter.total.
CREATE TABLE counter.count (
    site      uuid NOT NULL,
    hour      timestamptz NOT NULL,
    kind      smallint NOT NULL,
    value     varchar(500) COLLATE "C" NOT NULL,
    slot      smallint NOT NULL,
    pageviews bigint NOT NULL DEFAULT 0,
    visits    bigint NOT NULL DEFAULT 0,
    visitors  bigint NOT NULL DEFAULT 0,
    bots      bigint NOT NULL DEFAULT 0,
    changed   xid8 NOT NULL DEFAULT pg_current_xact_id(),
    PRIMARY KEY (site, hour, kind, value, slot)
) WITH (fillfactor = 70);
CREATE INDEX count_changed ON counter.count (changed);

-- Moves days of version 1 before "beyond", about "most" rows of them: each becomes the hour that it
-- begins with. Answers how many rows.
CREATE FUNCTION counter.bring_along(beyond date, most bigint) RETURNS bigint
LANGUAGE sql SET enable_seqscan = off AS $$
    WITH edge AS (
        (SELECT p.site, p.day FROM counter.page p WHERE p.day < beyond
            ORDER BY p.site, p.day LIMIT 1 OFFSET most)
        UNION ALL SELECT 'ffffffff-ffff-ffff-ffff-ffffffffffff', 'infinity'
        ORDER BY site, day LIMIT 1
    ), moved AS (
        DELETE FROM counter.page p
            WHERE (p.site, p.day) <= (SELECT e.site, e.day FROM edge e) AND p.day < beyond
            RETURNING *
    ), added AS (
        INSERT INTO counter.count (site, hour, kind, value, slot, pageviews, visits, visitors, bots)
            SELECT site, day::timestamp AT TIME ZONE 'UTC',
                   CASE GROUPING(path) WHEN 0 THEN 1 ELSE 7 END,
                   coalesce(path, ''), 0, sum(pageviews), sum(visits), sum(visits), sum(bots)
            FROM moved GROUP BY GROUPING SETS ((site, day, path), (site, day))
    )
    SELECT count(*) FROM moved
$$;

-- version 3

-- Days that are over are moved while hits are counted on, some at a time.
SELECT FROM counter.bring_along((now() AT TIME ZONE 'UTC')::date - 1, 20000) AS moved
    WHERE moved > 0;

-- version 4

-- Requests that are under way are let through to their end, and the next ones wait.
LOCK TABLE counter.salt, counter.visitor, counter.page, counter.total IN ACCESS EXCLUSIVE MODE;

DO $$ BEGIN PERFORM counter.bring_along('infinity', 9223372036854775807); END $$;
DROP FUNCTION counter.bring_along;
DROP TABLE counter.page;

-- Addresses have tokens too, more of them: a row is the bucket of a visitor or of an address.
ALTER TABLE counter.visitor DROP COLUMN hits, ADD COLUMN tokens smallint NOT NULL DEFAULT 5;

-- The "forget" of a function that was not updated yet deletes a site's rows from here.
CREATE VIEW counter.page AS SELECT site FROM counter.count;

-- Of one row, transactions take turns, each as long as the disk needs. A site that is in need of
-- more has several rows: each connection counts in a slot of its own, and their sum is shown.
ALTER TABLE counter.total
    ADD COLUMN slot smallint NOT NULL DEFAULT 0,
    DROP CONSTRAINT total_pkey,
    ADD PRIMARY KEY (site, slot);

-- The secret of a day; made, and those before it destroyed, by whoever asks first.
CREATE FUNCTION counter.salt_of(today date) RETURNS bytea LANGUAGE plpgsql AS $$
DECLARE
    found_salt bytea;
BEGIN
    SELECT s.salt INTO found_salt FROM counter.salt s WHERE s.day = today;
    IF NOT FOUND THEN
        INSERT INTO counter.salt
            VALUES (today, uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))
            ON CONFLICT DO NOTHING;
        SELECT s.salt INTO found_salt FROM counter.salt s WHERE s.day = today;
        DELETE FROM counter.salt s WHERE s.day < today;
    END IF;
    RETURN found_salt;
END $$;

-- Whether all tokens are taken. A clock that goes back gives none of them back.
CREATE FUNCTION counter.is_over_limit(taken timestamptz[], tokens int, moment timestamptz)
    RETURNS boolean LANGUAGE sql IMMUTABLE
    RETURN coalesce(taken[tokens] > greatest(moment, taken[1]) - interval '1 minute', false);

-- Takes one of so many tokens: its time, NULL when there was none, and the time of the one before.
CREATE FUNCTION counter.take_token(
    p_site uuid, p_who bytea, p_tokens int, moment timestamptz,
    OUT newest timestamptz, OUT previous timestamptz
) LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO counter.visitor AS v (site, visitor, day, taken, tokens)
        VALUES (p_site, p_who, (moment AT TIME ZONE 'UTC')::date, ARRAY[moment], p_tokens)
        ON CONFLICT (site, visitor) DO UPDATE
            SET taken = (greatest(moment, v.taken[1]) || v.taken)[1:v.tokens]
            WHERE NOT counter.is_over_limit(v.taken, v.tokens, moment)
        RETURNING v.taken[1], v.taken[2] INTO newest, previous;
END $$;

-- The day that a hit's id names, in UTC: the first 48 bits of a UUIDv7 are a time in ms (RFC 9562).
-- Never further away than a day, so that no id makes a row that stays.
CREATE FUNCTION counter.day_of(hit uuid, today date) RETURNS date LANGUAGE sql IMMUTABLE
    RETURN least(greatest(
        (to_timestamp(('x' || left(translate(hit::text, '-', ''), 12))::bit(48)::bigint / 1000.0)
            AT TIME ZONE 'UTC')::date,
        today - 1), today + 1);

-- Takes a token of the visitor and one of the address, for who sends another user agent each time is
-- many visitors. Says what the hit is: "previous" is the time of the visitor's hit before it,
-- NULL when it is the first of the day; "reason" why it is not to be counted. What is not to be
-- counted writes nothing, so that a flood of it costs no more than it must.
CREATE FUNCTION counter.admit(
    p_site uuid, p_client bytea, p_address bytea, p_hit uuid, moment timestamptz,
    OUT newest timestamptz, OUT previous timestamptz, OUT reason text
) LANGUAGE plpgsql AS $$
DECLARE
    of_visitor CONSTANT int := 5;
    of_address CONSTANT int := 30;
    today date  := (moment AT TIME ZONE 'UTC')::date;
    salt  bytea := counter.salt_of(today);
    who   bytea := sha256(salt || p_client);
    place bytea := sha256(salt || p_address);
    day_  date  := counter.day_of(p_hit, today);
    id    uuid  := encode(substr(
        sha256(uuid_send(p_site) || p_client || uuid_send(p_hit)), 1, 16), 'hex')::uuid;
BEGIN
    reason := '';
    IF EXISTS (SELECT FROM counter.visitor v
        WHERE v.site = p_site AND v.visitor IN (who, place)
        AND counter.is_over_limit(v.taken, v.tokens, moment)) THEN
        reason := CASE WHEN EXISTS (SELECT FROM counter.hit h WHERE h.day = day_ AND h.hit = id)
            THEN 'again' ELSE 'limit' END;
        RETURN;
    END IF;

    INSERT INTO counter.hit VALUES (day_, id) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        reason := 'again';
        RETURN;
    END IF;

    SELECT t.newest INTO newest FROM counter.take_token(p_site, place, of_address, moment) t;
    IF newest IS NOT NULL THEN
        SELECT * INTO newest, previous FROM counter.take_token(p_site, who, of_visitor, moment);
        IF newest IS NULL THEN
            UPDATE counter.visitor v SET taken = v.taken[2:]
                WHERE v.site = p_site AND v.visitor = place;
        END IF;
    END IF;
    IF newest IS NULL THEN  -- somebody took the last token since it was looked for
        DELETE FROM counter.hit h WHERE h.day = day_ AND h.hit = id;
        reason := 'limit';
        RETURN;
    END IF;

    -- Each that comes sweeps out some of what is past. By order, so that the index is looked into
    -- even where the planner thinks that it would soon find two anywhere.
    DELETE FROM counter.hit WHERE ctid = ANY (ARRAY(
        SELECT h.ctid FROM counter.hit h WHERE h.day < today - 1
        ORDER BY h.day LIMIT 2 FOR UPDATE SKIP LOCKED));
    IF previous IS NULL THEN
        DELETE FROM counter.visitor WHERE ctid = ANY (ARRAY(
            SELECT v.ctid FROM counter.visitor v WHERE v.day < today
            ORDER BY v.day LIMIT 10 FOR UPDATE SKIP LOCKED));
    END IF;
END $$;

-- Counts one hit and answers the site's pageviews; without a client it only answers.
--
-- "client" is a digest of address and user agent, "address" of the address alone; they are salted
-- here and kept only so. "reason" is why the hit was not counted: 'limit', or 'again' when it had
-- been. Reasons are kept where they
-- were told and handed in now and then, "p_left_out" with their numbers; then this hit's own is
-- noted too. NULL: not now.
--
-- A connection keeps the plans that it made while the tables were small, when a scan looks cheap.
CREATE FUNCTION counter.count_hit(
    p_site uuid, p_path text, p_client bytea, p_address bytea, p_hit uuid, p_is_bot boolean,
    p_referrer text, p_country text, p_device text, p_deployment text,
    p_slots int, p_left_out text[], p_left_out_counts int[], p_now timestamptz,
    OUT pageviews bigint, OUT counted boolean, OUT reason text
) LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    moment    timestamptz := coalesce(p_now, clock_timestamp());
    this_hour timestamptz := date_trunc('hour', moment, 'UTC');
    this_slot smallint := pg_backend_pid() % greatest(p_slots, 1);
    is_person int := (NOT p_is_bot)::int;
    admitted  record;
BEGIN
    counted := false;
    reason := '';
    IF p_client IS NOT NULL THEN
        SELECT * INTO admitted FROM counter.admit(p_site, p_client, p_address, p_hit, moment);
        reason := admitted.reason;
        counted := reason = '' AND NOT p_is_bot;
    END IF;

    IF p_left_out IS NOT NULL THEN
        INSERT INTO counter.count AS c (site, hour, kind, value, slot, pageviews)
            SELECT p_site, this_hour, 0, l.reason, this_slot, sum(l.hits)
            FROM unnest(p_left_out || reason, p_left_out_counts || 1) AS l (reason, hits)
            WHERE l.reason <> '' GROUP BY l.reason ORDER BY l.reason
            ON CONFLICT (site, hour, kind, value, slot) DO UPDATE SET
                pageviews = c.pageviews + excluded.pageviews,
                changed = pg_current_xact_id();
    END IF;

    IF p_client IS NOT NULL AND reason = '' THEN
        INSERT INTO counter.count AS c
            (site, hour, kind, value, slot, pageviews, visits, visitors, bots)
            SELECT p_site, this_hour, k.kind, k.value, this_slot, is_person,
                CASE WHEN admitted.newest - admitted.previous < interval '30 minutes'
                    THEN 0 ELSE is_person END,
                CASE WHEN admitted.previous IS NULL THEN is_person ELSE 0 END,
                1 - is_person
            FROM unnest(
                ARRAY[1, 2, 3, 4, 5, 6, 7],
                ARRAY[p_path, p_referrer, p_country, p_device, p_deployment,
                      to_char(moment AT TIME ZONE 'UTC', 'MI'), '']
            ) AS k (kind, value)
            WHERE counted OR k.kind IN (1, 6, 7)
            ORDER BY k.kind  -- the order of locks, the hottest last
            ON CONFLICT (site, hour, kind, value, slot) DO UPDATE SET
                pageviews = c.pageviews + excluded.pageviews,
                visits = c.visits + excluded.visits,
                visitors = c.visitors + excluded.visitors,
                bots = c.bots + excluded.bots,
                changed = pg_current_xact_id();
    END IF;
    IF counted THEN
        INSERT INTO counter.total AS t (site, slot, pageviews) VALUES (p_site, this_slot, 1)
            ON CONFLICT (site, slot) DO UPDATE SET pageviews = t.pageviews + 1;
    END IF;
    SELECT coalesce(sum(t.pageviews), 0) INTO count_hit.pageviews
        FROM counter.total t WHERE t.site = p_site;
END $$;

-- Functions are updated one after another, and those that were not yet go on to count. They know no
-- address: each visitor is at one of its own.
CREATE OR REPLACE FUNCTION counter.count_hit(
    p_site uuid, p_path text, p_client bytea, p_hit uuid, p_is_bot boolean, p_now timestamptz,
    OUT pageviews bigint, OUT counted boolean
) LANGUAGE plpgsql AS $$
BEGIN
    SELECT h.pageviews, h.counted OR (h.reason = 'again' AND NOT p_is_bot)
        INTO count_hit.pageviews, count_hit.counted
        FROM counter.count_hit(
            p_site, p_path, p_client, sha256(p_client), p_hit, p_is_bot, '', '', '', '', 1,
            NULL, NULL, p_now) h;
END $$;
