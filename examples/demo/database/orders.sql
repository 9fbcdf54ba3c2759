-- Customers, products and orders. Variable: scale.
\ir words.sql
SET synchronous_commit = off;
SET search_path = shop;
SELECT setseed(0.1);

INSERT INTO customers (public_id, given_name, family_name, email, home, tags, preferences, born, created_at)
SELECT md5('customer ' || i)::uuid, g.name, f.name,
    lower(replace(g.name || '.' || f.name, ' ', '')) || i % 9973
        || '@' || (ARRAY['mail.example', 'post.example', 'inbox.example', 'firma.example'])[1 + i % 4],
    ROW(initcap(f.name) || pg_temp.pick('{gade,straße,straat," street",väg," utca"," road"}') || ' ' || 1 + i % 180,
        pg_temp.pick('{Lisboa,Zürich,Kraków,Århus,Málaga,Dublin,Genève,København,Győr,Brno,Tromsø,Wien,Gent,Porto,Lyon,Graz}'),
        lpad((i * 7919 % 99999)::text, 5, '0'), pg_temp.pick('{PT,CH,PL,DK,ES,IE,HU,CZ,NO,AT,BE,FR}'))::address,
    CASE WHEN i % 3 = 0 THEN ARRAY['newsletter', pg_temp.pick('{vip,b2b,staff,"late payer"}')] WHEN i % 3 = 1 THEN ARRAY['newsletter'] ELSE '{}' END,
    jsonb_build_object('language', pg_temp.pick('{en,de,fr,pl,da,es,pt,hu}'), 'theme', pg_temp.pick('{light,dark,null}'),
        'notify', jsonb_build_array('email', CASE WHEN i % 5 = 0 THEN 'sms' END), 'points', i * 31 % 2000),
    CASE WHEN i % 4 > 0 THEN date '1950-01-01' + (i * 7 % 20000)::int END,
    timestamptz '2019-03-01 00:00Z' + i * interval '37 minutes' + random() * interval '30 minutes'
FROM generate_series(1, (60000 * :scale)::int) AS i
JOIN given_names g ON g.n = i * 104729::bigint % (SELECT count(*) FROM given_names)
JOIN family_names f ON f.n = i * 15485863::bigint % (SELECT count(*) FROM family_names)
ORDER BY i;

INSERT INTO categories VALUES (1, NULL, 'Everything'), (2, 1, 'Home'), (3, 1, 'Garden'), (4, 1, 'Sport'), (5, 1, 'Music'), (6, 1, 'Computers'),
    (7, 2, 'Kitchen'), (8, 2, 'Living room'), (9, 4, 'Cycling'), (10, 4, 'Camping'), (11, 6, 'Accessories'), (12, 1, 'Books & paper');
INSERT INTO products (id, category, name, description, price, usual_price, attributes, dimensions_mm, in_stock, discontinued)
SELECT i, 2 + i % 11,
    initcap(pg_temp.pick('{folding,light,sturdy,classic,compact,foldable,waterproof,hand-made,organic,second-hand,"extra large",small}')) || ' '
        || pg_temp.pick('{lamp,chair,kettle,tent,helmet,guitar,keyboard,notebook,rucksack,teapot,mirror,drill,towel,kite,speaker}')
        || ' ' || chr(65 + i % 26) || i % 89,
    pg_temp.prose(30 + i % 90), p.price, money_range(p.price * 0.8, p.price * 1.25),
    jsonb_build_object('colour', pg_temp.pick('{black,white,blue,red,natural,green}'), 'weight_g', 50 + i * 37 % 9000,
        'material', jsonb_build_array(pg_temp.pick('{cotton,steel,oak,plastic}'), pg_temp.pick('{leather,glass,wool}')),
        'rating', jsonb_build_object('stars', round((1 + 4 * random())::numeric, 1), 'votes', i * 13 % 700)),
    ARRAY[10 + i % 900, 10 + i * 3 % 700, 5 + i * 7 % 300], i * 17 % 400, i % 23 = 0
FROM generate_series(1, greatest(50, (5000 * :scale)::int)) AS i, LATERAL (SELECT round((3 + 200 * power(random(), 3) + 0 * i)::numeric, 2) - 0.01 AS price) AS p;
UPDATE products SET price = round(price * 0.9, 2) WHERE id % 10 = 0;

-- Foreign keys hold by construction; pg_restore checks them all.
SET session_replication_role = replica;
INSERT INTO orders
SELECT i, 1000 + floor(power(random(), 1.6) * (60000 * :scale)::int)::bigint,
    timestamptz '2026-01-01 00:00Z' + i * (interval '320 days' / (200000 * :scale)) + random() * interval '60 seconds',
    (enum_range(NULL::order_state))[CASE WHEN random() < 0.8 THEN 6 ELSE 1 + floor(random() * 8)::int END], round((4 + 300 * power(random(), 3))::numeric, 2),
    CASE WHEN i % 11 = 0 THEN 'CHF' ELSE 'EUR' END, CASE WHEN i % 3 > 0 THEN md5('parcel ' || i)::uuid END,
    CASE WHEN i % 2 = 0 THEN inet '10.0.0.0' + (i * 48271 % 16777216) END,
    CASE WHEN i % 6 = 0 THEN pg_temp.prose(4 + (i % 12)::int) END
FROM generate_series(1, (200000 * :scale)::bigint) AS i;

INSERT INTO order_lines (order_id, placed_at, line, product, quantity, unit_price)
SELECT o.id, o.placed_at, l, 1 + floor(power(random(), 2) * greatest(50, (5000 * :scale)::int))::int, 1 + floor(power(random(), 4) * 6)::int,
    round((3 + 200 * power(random(), 3))::numeric, 2)
FROM orders o, generate_series(1, 1 + (o.id % 4)::int) AS l;
