-- No grantee: PUBLIC.
SELECT pg_catalog.pg_get_userbyid(a.grantor)::pg_catalog.text,
       CASE WHEN a.grantee <> 0 THEN pg_catalog.pg_get_userbyid(a.grantee)::pg_catalog.text END,
       a.privilege_type, a.is_grantable
FROM pg_catalog.pg_database d, pg_catalog.aclexplode(COALESCE(d.datacl, pg_catalog.acldefault('d', d.datdba))) a
WHERE d.oid = $1
ORDER BY 1, 2 NULLS FIRST, 3, 4
