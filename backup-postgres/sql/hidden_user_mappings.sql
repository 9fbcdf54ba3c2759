-- The view pg_user_mappings gives no options (src/backend/catalog/system_views.sql) unless one of these holds. A mapping without options
-- looks the same, so it is named too.
SELECT m.srvname::pg_catalog.text AS server,
       CASE WHEN m.umuser = 0 THEN 'PUBLIC' ELSE m.usename::pg_catalog.text END AS mapped,
       pg_catalog.pg_get_userbyid(s.srvowner)::pg_catalog.text AS server_owner,
       m.umuser <> 0 AND m.usename = current_user AS is_own,
       m.umuser = 0 AS is_public
FROM pg_catalog.pg_user_mappings m JOIN pg_catalog.pg_foreign_server s ON s.oid = m.srvid
WHERE m.umoptions IS NULL
  AND NOT (SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.rolname = current_user)
  AND NOT (m.umuser <> 0 AND m.usename = current_user
           AND (pg_catalog.pg_has_role(s.srvowner, 'USAGE') OR pg_catalog.has_server_privilege(s.oid, 'USAGE')))
  AND NOT (m.umuser = 0 AND pg_catalog.pg_has_role(s.srvowner, 'USAGE'))
ORDER BY 1, 2
