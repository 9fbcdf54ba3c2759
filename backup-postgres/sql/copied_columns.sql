-- The columns that pg_dump copies: neither dropped nor generated.
SELECT a.attname::pg_catalog.text
FROM pg_catalog.pg_attribute a
WHERE a.attrelid = $1::pg_catalog.text::pg_catalog.regclass
  AND a.attnum > 0
  AND NOT a.attisdropped
  AND a.attgenerated = ''
