-- Foreign keys from other tables than those that are restored along. Those of partitions come with their parent's.
SELECT pg_catalog.format('%I of %I.%I', k.conname, n.nspname, c.relname)
FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE k.contype = 'f' AND k.confrelid = $1 AND k.conrelid <> ALL ($2)
ORDER BY 1
