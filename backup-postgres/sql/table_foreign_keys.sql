SELECT k.conrelid, k.confrelid FROM pg_catalog.pg_constraint k
WHERE k.contype = 'f' AND k.conrelid = ANY ($1) AND k.confrelid = ANY ($1) AND k.conrelid <> k.confrelid
