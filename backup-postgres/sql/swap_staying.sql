SELECT 'replication slot'::pg_catalog.text, s.slot_name::pg_catalog.text
FROM pg_catalog.pg_replication_slots s JOIN pg_catalog.pg_database d ON d.datname = s.database WHERE d.oid = $1
UNION ALL
SELECT 'subscription', s.subname::pg_catalog.text FROM pg_catalog.pg_subscription s WHERE s.subdbid = $1
UNION ALL
SELECT 'prepared transaction', p.gid FROM pg_catalog.pg_prepared_xacts p JOIN pg_catalog.pg_database d ON d.datname = p.database WHERE d.oid = $1
ORDER BY 1, 2
