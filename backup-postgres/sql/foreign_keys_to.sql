-- $1: tables that are there without their rows. $2: all tables whose rows are left out: a foreign key from one of them holds.
SELECT o.identity
FROM pg_catalog.pg_constraint k
CROSS JOIN LATERAL pg_catalog.pg_identify_object('pg_catalog.pg_constraint'::pg_catalog.regclass, k.oid, 0) o
WHERE k.contype = 'f' AND k.conparentid = 0
  AND k.confrelid = ANY ($1::pg_catalog.oid[]) AND NOT k.conrelid = ANY ($2::pg_catalog.oid[])
ORDER BY 1
