-- Null: there is nothing of that name. Names are found as the database's own search_path says.
SELECT (SELECT c.relkind IN ('r', 'p', 'f') FROM pg_catalog.pg_class c WHERE c.oid = pg_catalog.to_regclass($1)::pg_catalog.oid)
