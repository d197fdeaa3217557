-- What changed since a position, for a reader that keeps it: the sums over the slots of every key
-- that has a slot which changed, in the order of keys, after one of them and at most "limit" (NULL:
-- all). Every row begins with the database's epoch and the snapshot's position; when nothing
-- changed there is one row, with a site of NULL.
--
-- A position of another epoch, or of the future, as after a restore, means nothing: all is read. A
-- restore may also go unnoticed, when as many transactions came after it as were lost: so if the
-- server was started after "read_at" (NULL: was not), the last reading, what was counted since is
-- told whatever its transaction; a quarter of an hour more, for clocks that differ.
-- Another page is asked for with the last key and the same position, or 0 when that meant nothing.
-- The position of the first page is the one to keep: what changed while it was read, changed later.
-- Slots are looked for key by key, and an upper bound that bounds nothing says that little changed:
-- of what "changed" is compared with the planner knows nothing, and would take it for a third of the
-- table. From the start, at 0, nothing is compared: the primary key has all in its order, and a page
-- is read from where the last one ended. Placeholders are psycopg's.
WITH RECURSIVE now AS (
    SELECT id AS epoch, pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS position,
        CASE WHEN pg_postmaster_start_time() > %(read_at)s::timestamptz - interval '15 minutes'
            THEN date_trunc('hour', %(read_at)s::timestamptz - interval '15 minutes', 'UTC')
        END AS again_since
    FROM counter.epoch
), site AS (
    (SELECT c.site FROM counter.count c WHERE (SELECT again_since FROM now) IS NOT NULL
        ORDER BY c.site LIMIT 1)
    UNION ALL
    SELECT (SELECT c.site FROM counter.count c WHERE c.site > s.site ORDER BY c.site LIMIT 1)
    FROM site s WHERE s.site IS NOT NULL
), changed AS (
    (SELECT DISTINCT c.site, c.hour, c.kind, c.value
    FROM counter.count c
    WHERE (coalesce(%(position)s::bigint, 0) = 0 OR c.changed >= (
            SELECT CASE WHEN now.epoch = %(epoch)s::uuid AND now.position >= %(position)s::bigint
                THEN %(position)s::text::xid8 ELSE '0'::xid8 END
            FROM now
        ) AND c.changed <= '18446744073709551615'::xid8)
        AND (%(site)s::uuid IS NULL OR (c.site, c.hour, c.kind, c.value)
        > (%(site)s::uuid, %(hour)s::timestamptz, %(kind)s::smallint, %(value)s::text COLLATE "C"))
    ORDER BY c.site, c.hour, c.kind, c.value
    LIMIT %(limit)s::bigint)
    UNION
    SELECT again.*
    FROM site s CROSS JOIN LATERAL (
        SELECT c.site, c.hour, c.kind, c.value
        FROM counter.count c
        WHERE c.site = s.site AND c.hour >= (SELECT again_since FROM now)
        AND coalesce(%(position)s::bigint, 0) <> 0
        AND (%(site)s::uuid IS NULL OR (c.site, c.hour, c.kind, c.value)
        > (%(site)s::uuid, %(hour)s::timestamptz, %(kind)s::smallint, %(value)s::text COLLATE "C"))
    ) again
    ORDER BY site, hour, kind, value
    LIMIT %(limit)s::bigint
)
SELECT now.epoch, now.position, s.*
FROM now LEFT JOIN (
    SELECT k.*, slots.*
    FROM changed k CROSS JOIN LATERAL (
        SELECT sum(c.pageviews)::bigint AS pageviews, sum(c.visits)::bigint AS visits,
            sum(c.visitors)::bigint AS visitors, sum(c.bots)::bigint AS bots
        FROM counter.count c
        WHERE (c.site, c.hour, c.kind, c.value) = (k.site, k.hour, k.kind, k.value)
    ) slots
) s ON true
ORDER BY s.site, s.hour, s.kind, s.value
