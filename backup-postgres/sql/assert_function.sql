-- A name without arguments: any of its overloads will do.
SELECT EXISTS (
    SELECT FROM pg_catalog.pg_proc p
    JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace,
    LATERAL (SELECT pg_catalog.parse_ident($1) AS part) name
    WHERE CASE pg_catalog.array_length(name.part, 1)
              WHEN 1 THEN p.proname = name.part[1] AND pg_catalog.pg_function_is_visible(p.oid)
              WHEN 2 THEN n.nspname = name.part[1] AND p.proname = name.part[2]
              ELSE false
          END)
