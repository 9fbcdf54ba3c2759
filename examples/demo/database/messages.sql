-- Messages with attachments and recordings, events, readings. Variable: scale. It runs beside orders.sql,
-- so foreign keys are not looked at here: they hold by construction, and pg_restore checks them all.
\ir words.sql
SET synchronous_commit = off;
SET session_replication_role = replica;
SELECT setseed(0.2);

INSERT INTO crm.messages
SELECT i, 1000 + i * 7919 % (60000 * :scale)::bigint, timestamptz '2026-01-01 00:00Z' + i * (interval '320 days' / (75000 * :scale)),
    CASE WHEN i % 3 = 0 THEN 'support@shop.example' ELSE 'customer' || i * 7919 % (60000 * :scale)::bigint || '@mail.example' END,
    CASE WHEN i % 3 = 0 THEN 'Re: ' ELSE '' END || rtrim(pg_temp.prose(3 + (i % 5)::int), '.'),
    'Dear ' || g.name || E',\n\n' || pg_temp.prose(70 + (i * 13 % 160)::int) || E'\n\nBest wishes\n' || g.name
        || CASE WHEN i % 4 = 0 THEN E'\n\n> ' || pg_temp.prose(30) ELSE '' END,
    CASE WHEN i % 3 > 0 THEN random() * interval '3 days' END, ARRAY[pg_temp.pick('{delivery,invoice,return,praise,complaint}'), 'q' || 1 + i % 4]
FROM generate_series(1, (75000 * :scale)::bigint) AS i JOIN given_names g ON g.n = i * 31 % 150
ORDER BY i;

-- Photographs and scans do not compress, spreadsheets do
INSERT INTO crm.attachments (id, message, file_name, content)
SELECT i, 1 + i * 11 % (75000 * :scale)::bigint, pg_temp.pick('{photo,scan,invoice,"Übersicht"}') || '-' || i || CASE WHEN i % 4 = 0 THEN '.csv' ELSE '.jpg' END,
    CASE WHEN i % 4 = 0
        THEN convert_to((SELECT string_agg(concat_ws(';', r, i * r % 977, round((i * r % 10007) / 7.0, 2), '2026-0' || 1 + r % 9 || '-1' || r % 9), E'\r\n')
            FROM generate_series(1, 200 + (i % 200)::int) AS r), 'UTF8')
        ELSE '\xffd8ffe0'::bytea || (SELECT string_agg(sha512(convert_to(i || ' ' || r, 'UTF8')), '') FROM generate_series(1, 60 + (i % 120)::int) AS r) END
FROM generate_series(1, (3000 * :scale)::bigint) AS i;

INSERT INTO crm.recordings
SELECT i * 50, lo_from_bytea((500000 + i)::oid, (SELECT string_agg(sha512(convert_to('call ' || i || ' ' || r, 'UTF8')), '') FROM generate_series(1, i * 400) AS r))
FROM generate_series(1, greatest(3, least(20, (20 * :scale)::int))) AS i;
