SELECT pg_catalog.convert_from($1::pg_catalog.bytea, $2::pg_catalog.text::pg_catalog.name) AS text
