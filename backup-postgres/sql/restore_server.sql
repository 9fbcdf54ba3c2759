-- The data folder is null where the role may not see it.
SELECT pg_catalog.current_setting('server_version_num')::pg_catalog.int4 AS version_number,
       (SELECT s.setting FROM pg_catalog.pg_settings s WHERE s.name = 'data_directory') AS data_folder,
       r.rolsuper AS superuser,
       r.rolcreatedb OR r.rolsuper AS may_create_databases,
       r.rolcreaterole OR r.rolsuper AS may_alter_roles,
       r.rolname::pg_catalog.text AS role
FROM pg_catalog.pg_roles r
WHERE r.rolname = current_user
