-- After the data: indexes, the materialised view, privileges on large objects.
CREATE INDEX ON shop.orders (customer, placed_at DESC);
CREATE INDEX ON shop.customers (lower(email));
CREATE INDEX ON events.log USING brin (at);
CREATE INDEX messages_open ON crm.messages (sent_at) WHERE answered IS NULL;
CREATE STATISTICS shop.order_statistics (dependencies) ON state, currency FROM shop.orders;
REFRESH MATERIALIZED VIEW shop.revenue;
CREATE UNIQUE INDEX ON shop.revenue (category, month);
SELECT lo_put(content, 0, 'RIFF') FROM crm.recordings LIMIT 1;
-- pg_read_all_data does not cover large objects: the login that backs up gets each
SELECT format('ALTER LARGE OBJECT %s OWNER TO shop_owner; GRANT SELECT ON LARGE OBJECT %1$s TO shop_backup;', oid) FROM pg_largeobject_metadata ORDER BY oid \gexec
SELECT format('COMMENT ON LARGE OBJECT %s IS %L', content, 'Call of message ' || message) FROM crm.recordings ORDER BY message LIMIT 3 \gexec
ANALYZE;
