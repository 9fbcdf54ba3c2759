-- Databases with names that drills give, which name a backup and have a random end, and to which nobody is connected.
SELECT d.datname::pg_catalog.text
FROM pg_catalog.pg_database d
WHERE d.datname ~ '^backproof_drill_[0-9]{8}t[0-9]{6}z_[0-9a-f]{16}_[0-9a-f]{8}$'
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity a WHERE a.datid = d.oid)
ORDER BY 1
