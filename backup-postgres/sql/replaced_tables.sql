-- Tables that are, now, not what they are in this transaction's snapshot: another file (TRUNCATE, ALTER TABLE), or another name. The
-- functions see the current catalogs, whatever the snapshot.
SELECT c.oid, n.nspname::pg_catalog.text AS schema, c.relname::pg_catalog.text AS name
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence <> 't'
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
  AND (pg_catalog.pg_relation_filenode(c.oid) IS DISTINCT FROM c.relfilenode
       OR pg_catalog.to_regclass(pg_catalog.format('%I.%I', n.nspname, c.relname))::pg_catalog.oid IS DISTINCT FROM c.oid)
ORDER BY 2, 3
