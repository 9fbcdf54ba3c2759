SELECT l.provider, l.label FROM pg_catalog.pg_shseclabel l
WHERE l.objoid = $1 AND l.classoid = 'pg_catalog.pg_database'::pg_catalog.regclass ORDER BY 1
