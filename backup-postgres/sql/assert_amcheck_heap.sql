-- verify_heapam came with PostgreSQL 14.
SELECT EXISTS (SELECT FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
               WHERE p.proname = 'verify_heapam' AND pg_catalog.quote_ident(n.nspname) = $1)
