-- Whether anything is of type money, or of an array or a domain of it.
SELECT pg_catalog.current_setting('lc_monetary') AS current,
       EXISTS (
           SELECT
           FROM pg_catalog.pg_attribute a
           JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
           JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
           LEFT JOIN pg_catalog.pg_type b ON b.oid = t.typbasetype
           WHERE c.oid >= 16384
             AND ('money'::pg_catalog.regtype IN (t.oid, t.typelem, b.oid, b.typelem))
       ) AS has_money
