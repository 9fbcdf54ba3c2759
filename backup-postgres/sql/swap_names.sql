-- All other databases, with their comments.
SELECT d.datname::pg_catalog.text, pg_catalog.shobj_description(d.oid, 'pg_database'), d.oid FROM pg_catalog.pg_database d WHERE d.oid <> $1 ORDER BY 1
