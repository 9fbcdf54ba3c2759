-- What pg_dump locks or reads (getTables, dumpTableData and dumpSequenceData in src/bin/pg_dump/pg_dump.c): tables, partitioned tables and
-- sequences. Views, materialised views and foreign tables are dumped by their definitions, which everybody may see. Of the members of
-- extensions, only configuration tables are read. (Tried with pg_dump 15.)
SELECT c.oid,
       c.relkind = 'S' AS is_sequence,
       n.nspname::pg_catalog.text AS schema,
       c.relname::pg_catalog.text AS name,
       pg_catalog.has_schema_privilege(n.oid, 'USAGE') AS schema_usage,
       CASE WHEN c.relkind = 'S' THEN pg_catalog.has_sequence_privilege(c.oid, 'SELECT')
            ELSE pg_catalog.has_table_privilege(c.oid, 'SELECT') END AS selectable,
       c.relkind <> 'S' AND pg_catalog.row_security_active(c.oid) AS rows_hidden,
       EXISTS (SELECT FROM pg_catalog.pg_depend m
               WHERE m.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND m.objid = c.oid AND m.deptype = 'e') AS in_extension
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'S') AND c.relpersistence <> 't'
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND (NOT EXISTS (SELECT FROM pg_catalog.pg_depend m
                   WHERE m.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND m.objid = c.oid AND m.deptype = 'e')
       OR EXISTS (SELECT FROM pg_catalog.pg_extension e WHERE c.oid = ANY (e.extconfig)))
  -- CASE, because AND promises no order: a sequence has no row security to ask for.
  AND NOT CASE WHEN c.relkind = 'S'
               THEN COALESCE(pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_sequence_privilege(c.oid, 'SELECT'), true)
               ELSE COALESCE(pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_table_privilege(c.oid, 'SELECT')
                             AND NOT pg_catalog.row_security_active(c.oid), true) END
ORDER BY 3, 4
