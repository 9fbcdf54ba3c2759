-- Giving an object to a role takes membership, and since 16 the right to SET ROLE.
SELECT r.rolname::pg_catalog.text AS name,
       pg_catalog.pg_has_role(r.oid,
           CASE WHEN pg_catalog.current_setting('server_version_num')::pg_catalog.int4 >= 160000 THEN 'SET' ELSE 'MEMBER' END)
           AS may_give
FROM pg_catalog.pg_roles r
