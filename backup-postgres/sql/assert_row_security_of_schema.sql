-- Partitions are reached through their parents, whose policies count; but who names one directly passes them by, so they are checked too.
SELECT pg_catalog.format('%I.%I', n.nspname, c.relname), c.relrowsecurity
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = (pg_catalog.parse_ident($1))[1] AND pg_catalog.array_length(pg_catalog.parse_ident($1), 1) = 1
  AND c.relkind IN ('r', 'p')
ORDER BY 1
