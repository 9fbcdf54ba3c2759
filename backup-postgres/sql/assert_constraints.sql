-- NOT VALID (and, since 18, NOT ENFORCED) constraints say nothing of the rows that are there.
SELECT CASE WHEN k.conrelid <> 0
            THEN pg_catalog.format('%I on %I.%I', k.conname, n.nspname, (SELECT c.relname FROM pg_catalog.pg_class c WHERE c.oid = k.conrelid))
            ELSE pg_catalog.format('%I on domain %I.%I', k.conname, n.nspname, (SELECT t.typname FROM pg_catalog.pg_type t WHERE t.oid = k.contypid))
       END,
       k.convalidated
FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_namespace n ON n.oid = k.connamespace
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY 1
