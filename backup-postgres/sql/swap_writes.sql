-- pg_stat_sys_tables is left out: ANALYZE and VACUUM write there. Large objects live there all the same.
-- Sequences: last_value as pg_sequence_last_value gives it (null where it was not called, or the role may not see it).
SELECT COALESCE((SELECT pg_catalog.sum(s.n_tup_ins + s.n_tup_upd + s.n_tup_del)
                 FROM pg_catalog.pg_stat_all_tables s
                 WHERE s.schemaname NOT IN ('pg_catalog', 'information_schema') AND s.schemaname !~ '^pg_toast'
                    OR s.relid IN ('pg_catalog.pg_largeobject'::pg_catalog.regclass, 'pg_catalog.pg_largeobject_metadata'::pg_catalog.regclass)), 0)::pg_catalog.int8 AS rows,
       pg_catalog.md5(COALESCE((SELECT pg_catalog.string_agg(c.oid::pg_catalog.text || ' ' || COALESCE(pg_catalog.pg_relation_filenode(c.oid)::pg_catalog.text, '-'), ',' ORDER BY c.oid)
                 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                 WHERE c.relkind IN ('r', 'p', 'm') AND c.relpersistence <> 't' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'), '')) AS files,
       pg_catalog.md5(COALESCE((SELECT pg_catalog.string_agg(q.seqrelid::pg_catalog.text || ' ' || COALESCE(pg_catalog.pg_sequence_last_value(q.seqrelid)::pg_catalog.text, '-'), ',' ORDER BY q.seqrelid)
                 FROM pg_catalog.pg_sequence q WHERE pg_catalog.has_sequence_privilege(q.seqrelid, 'USAGE, SELECT')), '')) AS sequences,
       (SELECT d.stats_reset::pg_catalog.text FROM pg_catalog.pg_stat_database d WHERE d.datname = pg_catalog.current_database()) AS reset,
       pg_catalog.current_setting('track_counts') = 'on' AS counted
