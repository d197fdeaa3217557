-- Lets go of hours that a reader has: those between "since" (NULL: from the first) and "before", of
-- one kind (NULL: of all), of at most "limit" keys. The number that pages show is in counter.total.
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
)
SELECT count(*) FROM gone
