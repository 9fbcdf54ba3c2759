SELECT t.spcname::pg_catalog.text AS name
FROM pg_catalog.pg_tablespace t
