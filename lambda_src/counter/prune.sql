-- Lets go of what is past, also where nobody comes any more. Always of the secrets of days that are
-- over, of their visitors, and of the ids of hits that are too old to be sent again. And of hours
-- that a reader has: those between "since" (NULL: from the first) and "before", of one kind (NULL: of
-- all). Of each at most "limit"; answers how many went of what most went of. The number that pages
-- show is in counter.total.
--
-- A key goes whole, all its slots at once, or what is left of it would be told as its sum; and a
-- day's keys only if none of that site and day changed since the position, which is what the reader
-- has kept: who has read a part of a day may want to sum up all of it. Where the position means
-- nothing, in another epoch or after a restore, nothing goes. Hits count in the hour that it is, so
-- nothing of this keeps them waiting. Placeholders are psycopg's.
WITH RECURSIVE site AS (
    (SELECT c.site FROM counter.count c ORDER BY c.site LIMIT 1)
    UNION ALL
    SELECT (SELECT c.site FROM counter.count c WHERE c.site > s.site ORDER BY c.site LIMIT 1)
    FROM site s WHERE s.site IS NOT NULL
), gone AS MATERIALIZED (
    SELECT k.ctids
    FROM site s CROSS JOIN LATERAL (
        SELECT array_agg(c.ctid) AS ctids,
            bool_and(bool_and(c.changed < %(position)s::text::xid8))
                OVER (PARTITION BY date_trunc('day', c.hour, 'UTC')) AS is_read
        FROM counter.count c
        WHERE c.site = s.site AND c.hour >= coalesce(%(since)s::timestamptz, '-infinity')
            AND c.hour < %(before)s::timestamptz
            AND (%(kind)s::smallint IS NULL OR c.kind = %(kind)s::smallint)
        GROUP BY c.site, c.hour, c.kind, c.value
    ) k
    WHERE k.is_read AND EXISTS (
        SELECT FROM counter.epoch e WHERE e.id = %(epoch)s::uuid
        AND %(position)s::bigint <= pg_snapshot_xmin(pg_current_snapshot())::text::bigint)
    LIMIT %(limit)s::bigint
), deleted AS (
    DELETE FROM counter.count WHERE ctid = ANY (ARRAY(
        SELECT c.ctid FROM counter.count c
        WHERE c.ctid = ANY (ARRAY(SELECT unnest(g.ctids) FROM gone g))
        FOR UPDATE SKIP LOCKED))  -- of a site that is just being forgotten
), today AS (
    SELECT (now() AT TIME ZONE 'UTC')::date AS day
), salt AS (
    DELETE FROM counter.salt WHERE ctid = ANY (ARRAY(
        SELECT s.ctid FROM counter.salt s WHERE s.day < (SELECT day FROM today)
        FOR UPDATE SKIP LOCKED))
), hit AS (
    DELETE FROM counter.hit WHERE ctid = ANY (ARRAY(
        SELECT h.ctid FROM counter.hit h WHERE h.day < (SELECT day - 1 FROM today)
        ORDER BY h.day LIMIT %(limit)s::bigint FOR UPDATE SKIP LOCKED))
    RETURNING 1
), visitor AS (
    DELETE FROM counter.visitor WHERE ctid = ANY (ARRAY(
        SELECT v.ctid FROM counter.visitor v WHERE v.day < (SELECT day FROM today)
        ORDER BY v.day LIMIT %(limit)s::bigint FOR UPDATE SKIP LOCKED))
    RETURNING 1
)
SELECT greatest(
    (SELECT count(*) FROM gone), (SELECT count(*) FROM hit), (SELECT count(*) FROM visitor))
