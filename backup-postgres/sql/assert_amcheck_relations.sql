-- What amcheck takes: B-tree indexes that are valid, tables and materialised views of the heap; the catalogs too. No one's temporary ones.
SELECT c.oid, pg_catalog.format('%I.%I', n.nspname, c.relname), c.relkind = 'i'
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_am a ON a.oid = c.relam
LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid
WHERE c.relpersistence <> 't'
  AND (c.relkind = 'i' AND a.amname = 'btree' AND i.indisvalid AND i.indisready OR c.relkind IN ('r', 'm', 't') AND a.amname = 'heap')
ORDER BY 2
