SELECT s.name, s.setting FROM pg_catalog.pg_settings s WHERE s.name = ANY ($1::pg_catalog.text[])
