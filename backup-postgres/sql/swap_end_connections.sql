-- Workers of subscriptions and of parallel queries end too; autovacuum ends by itself when a database is renamed. Those that we may not end are left out, as
-- one refusal would end the whole statement.
SELECT pg_catalog.count(*) FILTER (WHERE pg_catalog.pg_terminate_backend(a.pid))
FROM pg_catalog.pg_stat_activity a
JOIN pg_catalog.pg_roles r ON r.rolname = current_user
LEFT JOIN pg_catalog.pg_roles o ON o.oid = a.usesysid
WHERE a.datid = ANY ($1) AND a.pid <> pg_catalog.pg_backend_pid() AND COALESCE(a.backend_type, '') NOT LIKE 'autovacuum%'
  AND (r.rolsuper OR NOT COALESCE(o.rolsuper, true)
       AND (pg_catalog.pg_has_role(a.usesysid, 'USAGE') OR pg_catalog.pg_has_role('pg_signal_backend', 'USAGE')))
