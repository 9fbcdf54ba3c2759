SELECT n.nspname::pg_catalog.text, c.relname::pg_catalog.text, pg_catalog.obj_description(c.oid, 'pg_class')
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND pg_catalog.obj_description(c.oid, 'pg_class') LIKE 'backproof: %'
