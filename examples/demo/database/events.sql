-- Events as JSON, and readings of sensors. Variable: scale.
\ir words.sql
SET synchronous_commit = off;
SELECT setseed(0.3);

INSERT INTO events.log
SELECT i, at, kind, session,
    jsonb_strip_nulls(jsonb_build_object(
        'path', CASE kind WHEN 'search' THEN '/search?q=' || pg_temp.pick('{tent,lamp,blue%20kettle,guitar,helmet,usb%20cable,oak%20table}')
            WHEN 'view' THEN '/product/' || floor(5000 * power(random(), 2))::int ELSE '/' || kind END,
        'at', to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
        'session', session, 'user', CASE WHEN i % 3 = 0 THEN 1000 + i * 7919 % 60000 END,
        'client', jsonb_build_object('ip', '10.' || i % 13 || '.' || i * 31 % 256 || '.' || i * 7 % 256, 'agent', pg_temp.pick(
            '{"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0","Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15) AppleWebKit/605.1.15 Safari/605.1.15","Shop/4.2 (Android 15; de-CH)"}')),
        'timing', jsonb_build_object('dns', round((20 * power(random(), 4))::numeric, 1), 'ttfb', round((30 + 400 * power(random(), 5))::numeric, 1)),
        'items', CASE WHEN kind = 'basket' THEN jsonb_build_array(jsonb_build_object('sku', 'SKU-' || 100000 + i * 7 % 35000, 'n', 1 + i % 3,
            'price', round((3 + 200 * power(random(), 3))::numeric, 2))) END,
        'ok', random() > 0.02))
FROM (SELECT i, timestamptz '2026-09-01 00:00Z' + i * interval '11 seconds' + random() * interval '10 seconds' AS at, md5('session ' || i / 9)::uuid AS session,
        pg_temp.pick('{view,view,view,search,basket,login,checkout,heartbeat}') AS kind
    FROM generate_series(1, (300000 * :scale)::bigint) AS i) AS e;

INSERT INTO "Büro & Lager"."Messwerte ""Kühlraum"""
SELECT s, timestamptz '2026-10-01 00:00Z' + i * interval '30 seconds', round((4 + 3 * sin(i / 720.0 + s) + random() / 4)::numeric, 3)::float8,
    round((55 + 20 * sin(i / 300.0) + random() * 3)::numeric, 1)::real, CASE WHEN i % 50 > 0 THEN round((230 + random() * 4)::numeric, 3) END, random() < 0.01
FROM generate_series(1, (20000 * :scale)::int) AS i, generate_series(1, 20) AS s;

INSERT INTO "Büro & Lager"."Belegung"
SELECT i % 7, tstzrange(d, d + interval '45 minutes'), CASE WHEN i % 3 = 0 THEN 'Inventur' ELSE E'Bespr. mit Kund:innen\t(wöchentl.)' END
FROM generate_series(1, 3000) AS i, LATERAL (SELECT timestamptz '2026-01-01 07:00Z' + i * interval '1 hour') AS t (d);

-- What the dump's text format must escape, the empty string beside NULL, and every code point of the first plane but zero and surrogates
INSERT INTO "Büro & Lager"."Steuer\Zeichen" VALUES (1, ''), (2, NULL), (3, E'tab\t, newline\n, return\r, backslash \\, bell \x07'), (4, '\.'), (5, '\N'),
    (6, repeat('long ', 200000)), (7, 'العربية עברית 日本語 🦀');
INSERT INTO "Büro & Lager"."Steuer\Zeichen" SELECT 100 + n, string_agg(chr(c), '' ORDER BY c)
FROM (SELECT c / 256 AS n, c FROM generate_series(1, 65535) AS c WHERE c NOT BETWEEN 55296 AND 57343) AS p GROUP BY n;
