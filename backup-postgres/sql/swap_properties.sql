SELECT pg_catalog.pg_get_userbyid(d.datdba)::pg_catalog.text AS owner, d.datistemplate, d.datallowconn, d.datconnlimit,
       pg_catalog.shobj_description(d.oid, 'pg_database') AS comment,
       pg_catalog.pg_encoding_to_char(d.encoding)::pg_catalog.text AS encoding, d.datcollate::pg_catalog.text AS collate, d.datctype::pg_catalog.text AS ctype,
       (SELECT t.spcname::pg_catalog.text FROM pg_catalog.pg_tablespace t WHERE t.oid = d.dattablespace) AS tablespace
FROM pg_catalog.pg_database d WHERE d.oid = $1
