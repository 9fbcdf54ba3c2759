-- Indexes of partitions that are pieces of their parents' (constraints have the names of their indexes), with how deep they lie: no DROP takes them, but
-- they go with the piece that they belong to.
WITH RECURSIVE pieces (oid, depth) AS (
    SELECT h.inhrelid, 1 FROM pg_catalog.pg_inherits h JOIN pg_catalog.pg_class c ON c.oid = h.inhparent
    WHERE c.relkind = 'I' AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits up WHERE up.inhrelid = h.inhparent)
    UNION ALL
    SELECT h.inhrelid, p.depth + 1 FROM pieces p JOIN pg_catalog.pg_inherits h ON h.inhparent = p.oid
)
SELECT n.nspname::pg_catalog.text AS schema, t.relname::pg_catalog.text AS table_name, c.relname::pg_catalog.text AS index_name, p.depth
FROM pieces p
JOIN pg_catalog.pg_class c ON c.oid = p.oid
JOIN pg_catalog.pg_index i ON i.indexrelid = p.oid
JOIN pg_catalog.pg_class t ON t.oid = i.indrelid
JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
ORDER BY p.depth DESC
