-- $1, $2: schemas and names of the relations that are dropped; $3: schemas that are. Gives the relations that are not among them and depend on one of them: views, tables that
-- point at them or inherit from them, and partitions, which would go with their table without a word.
WITH dropped (oid) AS (
    SELECT c.oid FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.text[]), pg_catalog.unnest($2::pg_catalog.text[])) d (schema, name)
    JOIN pg_catalog.pg_namespace n ON n.nspname = d.schema JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = d.name
), dependents (oid, "on", how) AS (
    SELECT w.ev_class, d.refobjid, CASE c.relkind WHEN 'm' THEN 'materialized view' ELSE 'view' END
    FROM pg_catalog.pg_depend d
    JOIN pg_catalog.pg_rewrite w ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND w.oid = d.objid
    JOIN pg_catalog.pg_class c ON c.oid = w.ev_class AND c.relkind IN ('v', 'm')
    WHERE d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.deptype = 'n'
    UNION
    SELECT h.inhrelid, h.inhparent, CASE WHEN c.relispartition THEN 'partition' ELSE 'table that inherits' END
    FROM pg_catalog.pg_inherits h JOIN pg_catalog.pg_class c ON c.oid = h.inhrelid AND c.relkind IN ('r', 'p', 'f')
    UNION
    SELECT k.conrelid, k.confrelid, 'table with a foreign key' FROM pg_catalog.pg_constraint k WHERE k.contype = 'f'
)
SELECT e.how, n.nspname::pg_catalog.text AS schema, c.relname::pg_catalog.text AS name,
       m.nspname::pg_catalog.text AS on_schema, o.relname::pg_catalog.text AS on_name
FROM dependents e
JOIN pg_catalog.pg_class c ON c.oid = e.oid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_class o ON o.oid = e."on"
JOIN pg_catalog.pg_namespace m ON m.oid = o.relnamespace
WHERE e."on" IN (SELECT oid FROM dropped) AND e.oid NOT IN (SELECT oid FROM dropped)
UNION ALL
SELECT 'relation', n.nspname::pg_catalog.text, c.relname::pg_catalog.text, n.nspname::pg_catalog.text, NULL
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY ($3::pg_catalog.text[]) AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.oid NOT IN (SELECT oid FROM dropped)
ORDER BY 2, 3, 4, 5
