-- A database with a bit of everything that pg_dump knows.
CREATE SCHEMA app AUTHORIZATION app_owner;
CREATE SCHEMA "Odd ""schema";
CREATE EXTENSION hstore;
CREATE TYPE app.mood AS ENUM ('sad', 'ok', 'happy');
CREATE DOMAIN app.positive AS int CHECK (VALUE > 0);
CREATE TABLE app.people (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    mood app.mood DEFAULT 'ok',
    tags text[],
    data jsonb,
    raw bytea,
    born timestamptz,
    money numeric(20, 4),
    extra hstore,
    doubled int GENERATED ALWAYS AS (length(name) * 2) STORED
);
INSERT INTO app.people (name, mood, tags, data, raw, born, money, extra)
SELECT 'näme ' || i || E'\t\n\\', (ARRAY['sad', 'ok', 'happy']::app.mood[])[1 + i % 3], ARRAY['a', NULL, i::text],
       jsonb_build_object('i', i, 'ü', NULL), decode(md5(i::text), 'hex'), '2020-01-01 UTC'::timestamptz + i * interval '1 h',
       i / 7.0, hstore('k', i::text)
FROM generate_series(1, 2000) i;
ALTER TABLE app.people OWNER TO app_owner;
CREATE INDEX people_name ON app.people (lower(name)) WHERE mood <> 'sad';
CREATE TABLE app.parted (at date, value app.positive, person bigint REFERENCES app.people) PARTITION BY RANGE (at);
CREATE TABLE app.parted_2025 PARTITION OF app.parted FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE app.parted_rest PARTITION OF app.parted DEFAULT;
INSERT INTO app.parted SELECT '2025-07-01'::date + i, i, i FROM generate_series(1, 365) i;
CREATE TABLE "Odd ""schema"."Täble ""x" ("Cölumn ""y" int, "select" text);
INSERT INTO "Odd ""schema"."Täble ""x" VALUES (1, 'one'), (NULL, NULL), (3, '\N');
ALTER TABLE "Odd ""schema"."Täble ""x" OWNER TO "Odd ""role";
CREATE TABLE app.parent (a int);
CREATE TABLE app.child (b int) INHERITS (app.parent);
INSERT INTO app.child VALUES (1, 2);
INSERT INTO app.parent VALUES (3);
CREATE TABLE empty (id int);
CREATE TABLE no_columns ();
INSERT INTO no_columns DEFAULT VALUES;
INSERT INTO no_columns DEFAULT VALUES;
CREATE UNLOGGED TABLE volatile AS SELECT 1 AS one;
CREATE SEQUENCE app.numbers START 7 INCREMENT 3;
SELECT nextval('app.numbers');
CREATE VIEW app.happy WITH (security_barrier) AS SELECT name FROM app.people WHERE mood = 'happy';
CREATE MATERIALIZED VIEW app.moods AS SELECT mood, count(*) FROM app.people GROUP BY mood;
CREATE MATERIALIZED VIEW app.unfilled AS SELECT 1 AS one WITH NO DATA;
CREATE FUNCTION app.shout(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT upper($1) || '!' $$;
CREATE INDEX people_shout ON app.people (app.shout(name));
CREATE FUNCTION app.touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.money := NEW.money + 1; RETURN NEW; END $$;
CREATE TRIGGER touch BEFORE UPDATE ON app.people FOR EACH ROW EXECUTE FUNCTION app.touch();
CREATE FUNCTION app.noted() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$;
CREATE EVENT TRIGGER noted ON ddl_command_end EXECUTE FUNCTION app.noted();
ALTER TABLE app.people ENABLE ROW LEVEL SECURITY;
CREATE POLICY readers ON app.people FOR SELECT TO app_reader USING (mood <> 'sad');
REVOKE ALL ON FUNCTION app.shout(text) FROM PUBLIC;
GRANT USAGE ON SCHEMA app TO app_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA app TO app_reader;
GRANT UPDATE (name) ON app.people TO "Odd ""role";
-- An owner without privileges on its own table: the foreign key's check runs as the owner.
REVOKE ALL ON app.parted FROM app_owner;
ALTER DEFAULT PRIVILEGES FOR ROLE app_owner IN SCHEMA app GRANT SELECT ON TABLES TO app_reader;
COMMENT ON TABLE app.people IS 'people; with ''quotes''';
COMMENT ON COLUMN app.people.name IS 'a name';
CREATE PUBLICATION news FOR TABLE app.people;
CREATE STATISTICS app.correlated ON name, mood FROM app.people;
SELECT lo_from_bytea(70000, 'a large object'), lo_from_bytea(70001, ''), lo_from_bytea(4000000000, convert_to(repeat('0123456789', 30000), 'UTF8'));
ALTER LARGE OBJECT 70001 OWNER TO app_owner;
GRANT SELECT ON LARGE OBJECT 70000 TO app_reader;
COMMENT ON LARGE OBJECT 70000 IS 'has a comment';
