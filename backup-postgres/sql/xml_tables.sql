-- Tables with columns that hold XML, in whatever way: schema and name.
WITH RECURSIVE holders (type) AS (
    SELECT 'pg_catalog.xml'::pg_catalog.regtype::pg_catalog.oid
    UNION
    SELECT t.oid
    FROM holders h
    JOIN pg_catalog.pg_type t ON t.typbasetype = h.type OR t.typelem = h.type
        OR EXISTS (
            SELECT FROM pg_catalog.pg_attribute a
            WHERE a.attrelid = t.typrelid AND a.atttypid = h.type AND a.attnum > 0 AND NOT a.attisdropped
        )
)
SELECT n.nspname::pg_catalog.text, c.relname::pg_catalog.text
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r'
    AND EXISTS (
        SELECT FROM pg_catalog.pg_attribute a JOIN holders h ON h.type = a.atttypid
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    )
