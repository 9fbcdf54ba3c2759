-- What an archive does not show. Columns that came with a version (datcollversion 15) are read through JSON.
SELECT * FROM (
    SELECT 'extension' AS kind, e.extname::pg_catalog.text AS name, e.extversion AS text,
           n.nspname::pg_catalog.text AS schema, NULL::pg_catalog.bool AS flag
    FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
  UNION ALL
    -- getIndexes in src/bin/pg_dump/pg_dump.c: an index is dumped if it is valid, or if its table is partitioned.
    SELECT 'invalid index', pg_catalog.format('%I.%I', n.nspname, c.relname), NULL, NULL, NULL
    FROM pg_catalog.pg_index i
    JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
    JOIN pg_catalog.pg_class t ON t.oid = i.indrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE NOT i.indisvalid AND t.relkind <> 'p' AND t.relpersistence <> 't'
      AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  UNION ALL
    SELECT 'database', 'database', pg_catalog.to_jsonb(d) ->> 'datcollversion', NULL, NULL
    FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()
  UNION ALL
    SELECT 'collation', pg_catalog.format('%I.%I', n.nspname, c.collname), c.collversion, NULL, NULL
    FROM pg_catalog.pg_collation c JOIN pg_catalog.pg_namespace n ON n.oid = c.collnamespace
    WHERE c.collversion IS NOT NULL AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  UNION ALL
    SELECT 'unpopulated', pg_catalog.format('%I.%I', n.nspname, c.relname), NULL, NULL, NULL
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'm' AND NOT c.relispopulated
      AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  UNION ALL
    SELECT 'row security', pg_catalog.format('%I.%I', n.nspname, c.relname),
           CASE WHEN c.relforcerowsecurity THEN 'forced' END, NULL, c.relrowsecurity
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE (c.relrowsecurity OR c.relforcerowsecurity)
      AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
) extras
ORDER BY kind, name
