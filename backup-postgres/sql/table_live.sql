SELECT c.oid, pg_catalog.pg_get_userbyid(c.relowner)::pg_catalog.text AS owner, c.relkind = 'r' AS ordinary,
       pg_catalog.pg_has_role(c.relowner, 'USAGE') AS owns,
       COALESCE((SELECT pg_catalog.array_agg(a.attname::pg_catalog.text ORDER BY k.place)
                 FROM pg_catalog.pg_index i, pg_catalog.unnest(i.indkey) WITH ORDINALITY k(number, place)
                 JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number
                 WHERE i.indrelid = c.oid AND i.indisprimary AND k.place <= i.indnkeyatts), '{}') AS key
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p', 'f', 'v', 'm')
