-- Whether rows changed: against accidents, not against someone who chooses rows.
SELECT pg_catalog.format('%s %s', pg_catalog.count(*), COALESCE(pg_catalog.sum(pg_catalog.hashtextextended(t.*::pg_catalog.text, 0)::pg_catalog.numeric), 0)) FROM ONLY $TABLE t
