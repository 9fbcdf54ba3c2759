-- Whether an ordinary role may create it. The column `trusted` came with 13: read through JSON, it is null before.
SELECT e.name::pg_catalog.text AS name,
       COALESCE(pg_catalog.bool_or(NOT v.superuser
           OR (pg_catalog.row_to_json(v) ->> 'trusted')::pg_catalog.bool), false) AS anybody
FROM pg_catalog.pg_available_extensions e
LEFT JOIN pg_catalog.pg_available_extension_versions v ON v.name = e.name AND v.version = e.default_version
GROUP BY e.name
