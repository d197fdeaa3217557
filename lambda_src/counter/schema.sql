-- The counter database, shared by the sites of one account.
--
-- A line "-- version N" begins a version; "migrate" applies those that are missing, in order, in
-- one transaction. A version that was released is never edited: add the next one.
--
-- Locks are taken in one order everywhere, so that nothing can deadlock:
-- salt, visitor, page, total.

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
