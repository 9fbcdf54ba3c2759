-- Renaming takes ownership and CREATEDB (RenameDatabase in src/backend/commands/dbcommands.c); ending a connection takes membership in its role, or
-- in pg_signal_backend, and a superuser's takes a superuser (pg_signal_backend in src/backend/storage/ipc/signalfuncs.c).
-- The type of others' backends is null for those who may not see it.
SELECT d.oid,
       r.rolname::pg_catalog.text AS role,
       pg_catalog.pg_is_in_recovery() AS in_recovery,
       r.rolsuper OR pg_catalog.pg_has_role(d.datdba, 'USAGE') AS owns,
       r.rolsuper OR r.rolcreatedb AS may_create,
       (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity a
        WHERE a.datid = d.oid AND a.pid <> pg_catalog.pg_backend_pid() AND COALESCE(a.backend_type, 'client backend') IN ('client backend', 'walsender')) AS connections,
       (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity a
        JOIN pg_catalog.pg_roles o ON o.oid = a.usesysid
        WHERE a.datid = d.oid AND a.pid <> pg_catalog.pg_backend_pid() AND COALESCE(a.backend_type, 'client backend') IN ('client backend', 'walsender')
          AND NOT r.rolsuper
          AND (o.rolsuper OR NOT pg_catalog.pg_has_role(a.usesysid, 'USAGE') AND NOT pg_catalog.pg_has_role('pg_signal_backend', 'USAGE'))) AS beyond
FROM pg_catalog.pg_database d
JOIN pg_catalog.pg_roles r ON r.rolname = current_user
WHERE d.datname = $1
