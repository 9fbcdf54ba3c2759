-- The user's own that fire, and what ALTER TABLE says for how (tgenabled). Those that a partition has from its parent are altered there.
SELECT t.tgname::pg_catalog.text, CASE t.tgenabled WHEN 'A' THEN 'ENABLE ALWAYS' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE' END
FROM pg_catalog.pg_trigger t WHERE t.tgrelid = $1 AND NOT t.tgisinternal AND t.tgenabled <> 'D' ORDER BY 1
