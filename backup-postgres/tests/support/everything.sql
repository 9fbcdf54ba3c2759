-- Every type and kind of object that pg_dump knows, in every form in which it writes them. What needs ICU, contrib modules or a newer server is in
-- files of its own beside this one. Roles `owner "o"`, `réader` and `plain` are there before, and the tablespace `in place`.
SET client_min_messages = warning;
SET check_function_bodies = on;

-- Schemas: odd names, and the one that every database has, changed.
CREATE SCHEMA app AUTHORIZATION "owner ""o""";
CREATE SCHEMA "Odd ""schema""
with a line; and \ 'quotes'" AUTHORIZATION "réader";
CREATE SCHEMA types;
CREATE SCHEMA grants;
CREATE SCHEMA empty_one;
COMMENT ON SCHEMA public IS 'another comment';
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO "réader";
COMMENT ON SCHEMA "Odd ""schema""
with a line; and \ 'quotes'" IS E'a comment;\n-- with lines, ''quotes'', "quotes", \\ and ü; $$ $1 \n\\connect nowhere\n';

-- Languages, transforms, access methods.
CREATE FUNCTION app.call_handler() RETURNS language_handler LANGUAGE c AS '$libdir/plpgsql', 'plpgsql_call_handler';
CREATE FUNCTION app.inline_handler(internal) RETURNS void LANGUAGE c STRICT AS '$libdir/plpgsql', 'plpgsql_inline_handler';
CREATE FUNCTION app.validator(oid) RETURNS void LANGUAGE c STRICT AS '$libdir/plpgsql', 'plpgsql_validator';
CREATE TRUSTED LANGUAGE plfar HANDLER app.call_handler INLINE app.inline_handler VALIDATOR app.validator;
ALTER LANGUAGE plfar OWNER TO "owner ""o""";
GRANT USAGE ON LANGUAGE plfar TO "réader" WITH GRANT OPTION;
REVOKE USAGE ON LANGUAGE plfar FROM PUBLIC;
COMMENT ON LANGUAGE plfar IS 'a language';
CREATE TRANSFORM FOR int LANGUAGE sql (FROM SQL WITH FUNCTION prsd_lextype(internal), TO SQL WITH FUNCTION int4recv(internal));
COMMENT ON TRANSFORM FOR int LANGUAGE sql IS 'a transform';
CREATE FUNCTION types.transformed(int) RETURNS int LANGUAGE sql TRANSFORM FOR TYPE int AS 'SELECT $1';
CREATE ACCESS METHOD heap_too TYPE TABLE HANDLER heap_tableam_handler;
CREATE ACCESS METHOD gist_too TYPE INDEX HANDLER gisthandler;
COMMENT ON ACCESS METHOD heap_too IS 'an access method';

-- Types of all kinds.
CREATE TYPE types.mood AS ENUM ('sad', 'o''k', 'Häppy', E'line\nline', '');
ALTER TYPE types.mood ADD VALUE 'between' BEFORE 'sad';
CREATE TYPE types.no_values AS ENUM ();
CREATE DOMAIN types.positive AS int DEFAULT 7 NOT NULL CONSTRAINT "more than 0" CHECK (VALUE > 0) CHECK (VALUE < 1000000000);
ALTER DOMAIN types.positive ADD CONSTRAINT late CHECK (VALUE <> 13) NOT VALID;
COMMENT ON DOMAIN types.positive IS 'a domain';
COMMENT ON CONSTRAINT "more than 0" ON DOMAIN types.positive IS 'of a domain';
CREATE DOMAIN types.nested AS types.positive CHECK (VALUE % 2 = 0);
CREATE DOMAIN types.letters AS varchar(20) COLLATE "C";
CREATE TYPE types.pair AS (a int, b text COLLATE "POSIX", "c d" types.positive[]);
COMMENT ON COLUMN types.pair.b IS 'of a composite type';
CREATE TYPE types.changed AS (a int, b int, c text);
ALTER TYPE types.changed DROP ATTRIBUTE b;
CREATE TYPE types.shell;
CREATE FUNCTION types.takes_shell(types.shell) RETURNS int LANGUAGE internal AS 'int4in';
CREATE TYPE types.base;
CREATE FUNCTION types.base_in(cstring) RETURNS types.base LANGUAGE internal IMMUTABLE STRICT AS 'int4in';
CREATE FUNCTION types.base_out(types.base) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'int4out';
CREATE FUNCTION types.base_recv(internal) RETURNS types.base LANGUAGE internal IMMUTABLE STRICT AS 'int4recv';
CREATE FUNCTION types.base_send(types.base) RETURNS bytea LANGUAGE internal IMMUTABLE STRICT AS 'int4send';
CREATE TYPE types.base (INPUT = types.base_in, OUTPUT = types.base_out, RECEIVE = types.base_recv, SEND = types.base_send,
    INTERNALLENGTH = 4, PASSEDBYVALUE, ALIGNMENT = int4, STORAGE = plain, CATEGORY = 'X', PREFERRED = true, DEFAULT = '42', DELIMITER = ';');
ALTER TYPE types.base OWNER TO "owner ""o""";
GRANT USAGE ON TYPE types.base TO "réader";
REVOKE USAGE ON TYPE types.mood FROM PUBLIC;
CREATE TYPE types.long_one;
CREATE FUNCTION types.long_in(cstring) RETURNS types.long_one LANGUAGE internal IMMUTABLE STRICT AS 'textin';
CREATE FUNCTION types.long_out(types.long_one) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout';
CREATE TYPE types.long_one (INPUT = types.long_in, OUTPUT = types.long_out, INTERNALLENGTH = VARIABLE, STORAGE = extended, COLLATABLE = true);
CREATE FUNCTION types.difference(float8, float8) RETURNS float8 LANGUAGE sql IMMUTABLE AS 'SELECT $1 - $2';
CREATE TYPE types.span AS RANGE (SUBTYPE = float8, SUBTYPE_DIFF = types.difference, MULTIRANGE_TYPE_NAME = types."spans of it");
CREATE TYPE types.words AS RANGE (SUBTYPE = text, COLLATION = "C");
COMMENT ON TYPE types.span IS 'a range';
ALTER TYPE types.span OWNER TO "owner ""o""";

-- Functions, procedures, aggregates, window functions.
CREATE FUNCTION app.shout(text, times int DEFAULT 1 + 1, VARIADIC more text[] DEFAULT ARRAY['a', E'b\n''']) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 7 AS $_$ SELECT upper($1) || repeat('!', $2) -- '$$'
$_$;
CREATE FUNCTION app.shouted(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT upper($1) $$;
CREATE FUNCTION app.atomic(a int, OUT b int, OUT c text) LANGUAGE sql STABLE BEGIN ATOMIC SELECT a + 1, 'x'::text; END;
CREATE FUNCTION app.set_of(INOUT a int, b int) RETURNS SETOF int LANGUAGE sql ROWS 17 SECURITY DEFINER SET search_path = app, "Odd ""schema""
with a line; and \ 'quotes'" SET work_mem = '3MB' SET "my.own" = 'x''y' AS 'SELECT a UNION SELECT b';
CREATE FUNCTION app.table_of(x int) RETURNS TABLE (n int, "m o" text) LANGUAGE plpgsql AS $function$
BEGIN
    -- $$ \ "
    RETURN QUERY SELECT x, E'\\' || x;
END $function$;
CREATE FUNCTION app.row_number() RETURNS bigint LANGUAGE internal WINDOW IMMUTABLE STRICT AS 'window_row_number';
CREATE FUNCTION app.any_of(anycompatible, anycompatiblearray) RETURNS anycompatible LANGUAGE sql AS 'SELECT $1';
CREATE FUNCTION app.carriage() RETURNS text LANGUAGE sql AS E' SELECT ''a\r\nb''::text ';
CREATE PROCEDURE app.do_it(IN a int, INOUT b int, OUT c int) LANGUAGE plpgsql AS $$ BEGIN b := a; c := a; END $$;
CREATE PROCEDURE app.do_it(text) LANGUAGE sql AS $$ SELECT 1 $$;
CREATE FUNCTION app.far() RETURNS int LANGUAGE plfar AS $$ BEGIN RETURN 1; END $$;
COMMENT ON FUNCTION app.shout(text, int, text[]) IS 'a function';
COMMENT ON PROCEDURE app.do_it(text) IS 'a procedure';
ALTER FUNCTION app.any_of(anycompatible, anycompatiblearray) OWNER TO "réader";
REVOKE ALL ON FUNCTION app.shout(text, int, text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.shout(text, int, text[]) TO "réader" WITH GRANT OPTION;
GRANT EXECUTE ON PROCEDURE app.do_it(text) TO plain;
CREATE FUNCTION app.add(numeric, numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT COALESCE($1, 0) + COALESCE($2, 0)';
CREATE FUNCTION app.take(numeric, numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT $1 - $2';
CREATE AGGREGATE app.total(numeric) (SFUNC = app.add, STYPE = numeric, INITCOND = '0', COMBINEFUNC = app.add, PARALLEL = SAFE, SSPACE = 100,
    MSFUNC = app.add, MINVFUNC = app.take, MSTYPE = numeric, MINITCOND = '0');
CREATE AGGREGATE app.any_array(anycompatible) (SFUNC = array_append, STYPE = anycompatiblearray, INITCOND = '{}');
CREATE AGGREGATE app.middle(float8 ORDER BY anyelement) (SFUNC = ordered_set_transition, STYPE = internal, FINALFUNC = percentile_disc_final, FINALFUNC_EXTRA, FINALFUNC_MODIFY = READ_WRITE);
CREATE AGGREGATE app.rank(VARIADIC "any" ORDER BY VARIADIC "any") (SFUNC = ordered_set_transition_multi, STYPE = internal, FINALFUNC = rank_final, FINALFUNC_EXTRA, HYPOTHETICAL);
COMMENT ON AGGREGATE app.total(numeric) IS 'an aggregate';
GRANT EXECUTE ON FUNCTION app.total(numeric) TO "réader";
CREATE AGGREGATE app.smallest(int) (SFUNC = int4smaller, STYPE = int, SORTOP = <);

-- Operators, classes, families, casts, conversions.
CREATE FUNCTION types.base_eq(types.base, types.base) RETURNS bool LANGUAGE internal IMMUTABLE STRICT AS 'int4eq';
CREATE FUNCTION types.base_ne(types.base, types.base) RETURNS bool LANGUAGE internal IMMUTABLE STRICT AS 'int4ne';
CREATE FUNCTION types.base_lt(types.base, types.base) RETURNS bool LANGUAGE internal IMMUTABLE STRICT AS 'int4lt';
CREATE FUNCTION types.base_le(types.base, types.base) RETURNS bool LANGUAGE internal IMMUTABLE STRICT AS 'int4le';
CREATE FUNCTION types.base_gt(types.base, types.base) RETURNS bool LANGUAGE internal IMMUTABLE STRICT AS 'int4gt';
CREATE FUNCTION types.base_ge(types.base, types.base) RETURNS bool LANGUAGE internal IMMUTABLE STRICT AS 'int4ge';
CREATE FUNCTION types.base_cmp(types.base, types.base) RETURNS int LANGUAGE internal IMMUTABLE STRICT AS 'btint4cmp';
CREATE FUNCTION types.base_hash(types.base) RETURNS int LANGUAGE internal IMMUTABLE STRICT AS 'hashint4';
CREATE OPERATOR types.= (LEFTARG = types.base, RIGHTARG = types.base, FUNCTION = types.base_eq, COMMUTATOR = OPERATOR(types.=), NEGATOR = OPERATOR(types.<>), RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES);
CREATE OPERATOR types.<> (LEFTARG = types.base, RIGHTARG = types.base, FUNCTION = types.base_ne, COMMUTATOR = OPERATOR(types.<>), NEGATOR = OPERATOR(types.=));
CREATE OPERATOR types.< (LEFTARG = types.base, RIGHTARG = types.base, FUNCTION = types.base_lt, COMMUTATOR = OPERATOR(types.>), NEGATOR = OPERATOR(types.>=));
CREATE OPERATOR types.<= (LEFTARG = types.base, RIGHTARG = types.base, FUNCTION = types.base_le);
CREATE OPERATOR types.> (LEFTARG = types.base, RIGHTARG = types.base, FUNCTION = types.base_gt);
CREATE OPERATOR types.>= (LEFTARG = types.base, RIGHTARG = types.base, FUNCTION = types.base_ge);
CREATE OPERATOR types.!!! (RIGHTARG = int, FUNCTION = int4um);
CREATE FUNCTION types.int_is_text(int, text) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT $1::text = $2';
CREATE OPERATOR types.= (LEFTARG = int, RIGHTARG = text, FUNCTION = types.int_is_text);
COMMENT ON OPERATOR types.= (types.base, types.base) IS 'an operator';
ALTER OPERATOR types.> (types.base, types.base) OWNER TO "owner ""o""";
CREATE OPERATOR FAMILY types.family USING btree;
COMMENT ON OPERATOR FAMILY types.family USING btree IS 'a family';
CREATE OPERATOR CLASS types.ordered DEFAULT FOR TYPE types.base USING btree FAMILY types.family AS
    OPERATOR 1 types.<, OPERATOR 2 types.<=, OPERATOR 3 types.=, OPERATOR 4 types.>=, OPERATOR 5 types.>, FUNCTION 1 types.base_cmp(types.base, types.base);
CREATE OPERATOR CLASS types.hashed DEFAULT FOR TYPE types.base USING hash AS OPERATOR 1 types.=, FUNCTION 1 types.base_hash(types.base);
COMMENT ON OPERATOR CLASS types.ordered USING btree IS 'a class';
ALTER OPERATOR CLASS types.hashed USING hash OWNER TO "owner ""o""";
CREATE OPERATOR FAMILY types.mixed USING btree;
ALTER OPERATOR FAMILY types.mixed USING btree ADD OPERATOR 1 < (int, bigint), FUNCTION 1 (int, bigint) btint48cmp(int, bigint);
CREATE OPERATOR CLASS types.boxes DEFAULT FOR TYPE box USING gist_too AS OPERATOR 3 &&, OPERATOR 6 ~=, OPERATOR 7 @>, OPERATOR 8 <@,
    FUNCTION 1 gist_box_consistent(internal, box, smallint, oid, internal), FUNCTION 2 gist_box_union(internal, internal),
    FUNCTION 5 gist_box_penalty(internal, internal, internal), FUNCTION 6 gist_box_picksplit(internal, internal), FUNCTION 7 gist_box_same(box, box, internal);
CREATE TYPE types.range_of_base AS RANGE (SUBTYPE = types.base, SUBTYPE_OPCLASS = types.ordered);
CREATE FUNCTION types.pair_text(types.pair) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT ($1).b';
CREATE CAST (types.pair AS text) WITH FUNCTION types.pair_text(types.pair) AS ASSIGNMENT;
CREATE CAST (types.base AS int) WITHOUT FUNCTION AS IMPLICIT;
CREATE CAST (types.changed AS types.pair) WITH INOUT;
COMMENT ON CAST (types.pair AS text) IS 'a cast';
CREATE DEFAULT CONVERSION types.conversion FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
COMMENT ON CONVERSION types.conversion IS 'a conversion';
ALTER CONVERSION types.conversion OWNER TO "owner ""o""";

-- Collations and text search.
CREATE COLLATION types.posix FROM "POSIX";
CREATE COLLATION types."C too" (LOCALE = 'C');
COMMENT ON COLLATION types."C too" IS 'a collation';
ALTER COLLATION types.posix OWNER TO "owner ""o""";
CREATE TEXT SEARCH PARSER types.parser (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype, HEADLINE = prsd_headline);
CREATE TEXT SEARCH TEMPLATE types.template (INIT = dsimple_init, LEXIZE = dsimple_lexize);
CREATE TEXT SEARCH DICTIONARY types.dictionary (TEMPLATE = types.template, STOPWORDS = 'english', ACCEPT = 'false');
CREATE TEXT SEARCH DICTIONARY types.stemmed (TEMPLATE = snowball, LANGUAGE = 'german');
CREATE TEXT SEARCH CONFIGURATION types."the search" (PARSER = types.parser);
ALTER TEXT SEARCH CONFIGURATION types."the search" ADD MAPPING FOR word, asciiword WITH types.dictionary, types.stemmed, simple;
CREATE TEXT SEARCH CONFIGURATION types.copied (COPY = english);
COMMENT ON TEXT SEARCH PARSER types.parser IS 'a parser';
COMMENT ON TEXT SEARCH TEMPLATE types.template IS 'a template';
COMMENT ON TEXT SEARCH DICTIONARY types.dictionary IS 'a dictionary';
COMMENT ON TEXT SEARCH CONFIGURATION types."the search" IS 'a configuration';
ALTER TEXT SEARCH CONFIGURATION types.copied OWNER TO "owner ""o""";
ALTER TEXT SEARCH DICTIONARY types.stemmed OWNER TO "owner ""o""";

-- Sequences of all types.
CREATE SEQUENCE app.small AS smallint MINVALUE -5 MAXVALUE 100 START 3 INCREMENT 7 CYCLE CACHE 4;
CREATE SEQUENCE app.down AS int INCREMENT -1;
CREATE SEQUENCE app.large START 9223372036854775806;
CREATE UNLOGGED SEQUENCE app.unlogged;
CREATE SEQUENCE app.untouched;
CREATE SEQUENCE "Odd ""schema""
with a line; and \ 'quotes'"."S'eq"".\\ 1";
SELECT nextval('app.small'), nextval('app.small'), nextval('app.down'), nextval('app.large'), nextval('app.large'), setval('app.unlogged', 77, false),
       setval(format('%I.%I', E'Odd "schema"\nwith a line; and \\ ''quotes''', E'S''eq".\\\\ 1')::regclass, 5, true);
COMMENT ON SEQUENCE app.small IS 'a sequence';
GRANT USAGE ON SEQUENCE app.small TO "réader";

-- Tables: columns of all types, with extreme values.
CREATE TABLE app.values (
    id bigint GENERATED BY DEFAULT AS IDENTITY (START WITH 10 INCREMENT BY 5 MINVALUE 5 CACHE 3) PRIMARY KEY,
    b bool, i2 smallint, i4 int, i8 bigint, f4 real, f8 double precision, n numeric, n2 numeric(30, 5), n3 numeric(3, -2),
    t text, v varchar(10), c char(5), n1 name, q "char", raw bytea, d date, ti time(3), tz timetz, ts timestamp, tsz timestamptz, iv interval, iv2 interval day to second(2),
    u uuid, j json, jb jsonb, jp jsonpath, ip inet, ci cidr, mac macaddr, mac8 macaddr8, bits bit(3), vbits bit varying(9),
    po point, li line, ls lseg, bo box, pa path, pg polygon, cir circle, tv tsvector, tq tsquery,
    r1 int4range, r2 numrange, r3 tsrange, r4 tstzrange, r5 daterange, r6 int8range, m1 int4multirange, m2 tstzmultirange,
    arr int[], arr2 text[][], arr3 types.pair[], mood types.mood, pos types.positive, nest types.nested, pair types.pair, base types.base, base_array types.base[],
    longer types.long_one, span types.span, spans types."spans of it", words types.words, of_base types.range_of_base,
    reg regclass, regt regtype, o oid, x8 xid8, lsn pg_lsn, acl aclitem, cash money, snap pg_snapshot
);
INSERT INTO app.values (id, b, i2, i4, i8, f4, f8, n, n2, n3, t, v, c, n1, q, raw, d, ti, tz, ts, tsz, iv, iv2, u, j, jb, jp, ip, ci, mac, mac8, bits, vbits,
    po, li, ls, bo, pa, pg, cir, tv, tq, r1, r2, r3, r4, r5, r6, m1, m2, arr, arr2, arr3, mood, pos, nest, pair, base, base_array, longer, span, spans, words, of_base,
    reg, regt, o, x8, lsn, acl, cash, snap) VALUES
(1, true, -32768, -2147483648, -9223372036854775808, '-Infinity', 'NaN', 'NaN', -1234567890123456789012345.12345, 12300, E'\t\n\r\\\b\f\v\x01"'' ü 𝄞 ', 'ünïcödé',
 'a', 'a name', '\200', '\x00ff0a5c', '-infinity', '24:00', '23:59:59.999999+15:59', 'infinity', '4713-01-01 00:00:00 BC', '-178000000 years -1 mons +3 days -04:05:06.789', '1 day 02:03:04.56',
 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"a" :  1, "a": [null, "\u00e9\n"]}', '{"b": 1.50, "a": [null, "\u00e9"], "": {}}', 'strict $."a"[*] ? (@ > 1)',
 '::ffff:1.2.3.4/128', '10.1.0.0/16', '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05', B'101', B'1', '(1e300,-0)', '{1,2,3}', '[(0,0),(1,1)]', '(1,1),(0,0)', '[(0,0),(1,2)]', '((0,0),(1,1),(2,0))', '<(1,2),3>',
 $$'a ''quote' fat:2A,4B rat$$, $$'fat' & !( 'rat' | 'c''d':*A ) <2> 'x'$$, '(,5]', '[1.50,)', '["2020-01-01 00:00:00",infinity)', '[2020-01-01 00:00+00,]', '[2020-01-01,2020-02-01)', 'empty', '{[1,3),[5,)}', '{}',
 '[-1:1]={1,NULL,3}', '{{a,"NULL"},{"",NULL}}', ARRAY[ROW(1, E'x"\\,', ARRAY[3]), NULL]::types.pair[], E'line\nline', 5, 4, ROW(NULL, '', NULL), '-7', '{1;2}', E'a\\b', '[1.5,2.5)', '{[1,2),(3,4]}', '["a b",c)', '[1,5]',
 'pg_class', 'types.pair[]', 4294967295, '18446744073709551615', 'FFFFFFFF/FFFFFFFF', 'postgres=r/postgres', 12345.67, '10:20:10,14,15'),
(2, false, 32767, 2147483647, 9223372036854775807, 1.17549435e-38, 2.2250738585072014e-308, 'Infinity', 0.00000, -100, '', '', '', '', '', '', 'infinity', '00:00:00.001', '00:00:00-15:59', '-infinity', 'infinity', '0', '-1 day',
 '00000000-0000-0000-0000-000000000000', '""', 'null', '$', '0.0.0.0/0', '::/0', '00:00:00:00:00:00', 'ff:ff:ff:ff:ff:ff:ff:ff', B'000', B'', '(NaN,Infinity)', '{0,-1,0}', '[(0,0),(0,0)]', '(0,0),(0,0)', '((0,0))', '((0,0))', '<(0,0),0>',
 '', '', 'empty', '(,)', 'empty', '(,)', '(,)', '[1,2)', '{}', '{(,)}', '{}', '{}', '{}', '', 1, 2, ROW(1, NULL, '{}'), '0', '{}', '', 'empty', '{}', '["",""]', 'empty', '-', '-', 0, '0', '0/0', '=/postgres', -0.01, '1:1:');
INSERT INTO app.values (id, f4, f8, n, t, v, c, n1, q, raw, d, ts, tsz, iv, mood, pos, nest) VALUES
(3, '-0', 5e-324, 1e-1000, '\N', '\.', '\', 'null', 'x', '\x5c2e', '5874897-12-31', '294276-12-31 23:59:59.999999', '2024-03-31 01:30:00+00', '178000000 years', 'between', 999999999, 2);
INSERT INTO app.values (t, pos, nest) SELECT repeat(md5(i::text), i * 3), i, i * 2 FROM generate_series(14, 60) i;
COMMENT ON TABLE app.values IS E'all types\\ of ''values''';
COMMENT ON COLUMN app.values.t IS 'a column';
ALTER TABLE app.values ALTER t SET STORAGE external, ALTER raw SET COMPRESSION pglz, ALTER jb SET STATISTICS 500, ALTER n SET (n_distinct = -0.5), ALTER j SET STORAGE main, ALTER pos SET NOT NULL;
ALTER TABLE app.values SET (fillfactor = 80, autovacuum_enabled = false, toast.autovacuum_enabled = false);
ALTER TABLE app.values OWNER TO "owner ""o""";
ALTER TABLE app.values REPLICA IDENTITY FULL;
ALTER TABLE app.values CLUSTER ON values_pkey;

CREATE TABLE "Odd ""schema""
with a line; and \ 'quotes'"."Täble ""x"";
-- \.
'y' \ (a) FROM stdin;" ("Cölumn, ""y"") FROM stdin;
" int, "select" text, " " text DEFAULT E'd\\\n''', "tab	col" text);
INSERT INTO "Odd ""schema""
with a line; and \ 'quotes'"."Täble ""x"";
-- \.
'y' \ (a) FROM stdin;" VALUES (1, 'one'), (NULL, NULL), (3, '\N'), (3, '\N');
COMMENT ON COLUMN "Odd ""schema""
with a line; and \ 'quotes'"."Täble ""x"";
-- \.
'y' \ (a) FROM stdin;"."select" IS 'odd';
ALTER TABLE "Odd ""schema""
with a line; and \ 'quotes'"."Täble ""x"";
-- \.
'y' \ (a) FROM stdin;" OWNER TO "réader";
CREATE INDEX "ind""ex" ON "Odd ""schema""
with a line; and \ 'quotes'"."Täble ""x"";
-- \.
'y' \ (a) FROM stdin;" ("select");
GRANT SELECT ("select"), UPDATE (" ") ON "Odd ""schema""
with a line; and \ 'quotes'"."Täble ""x"";
-- \.
'y' \ (a) FROM stdin;" TO plain, PUBLIC;
CREATE POLICY "pol ""i"" cy
" ON "Odd ""schema""
with a line; and \ 'quotes'"."Täble ""x"";
-- \.
'y' \ (a) FROM stdin;" AS RESTRICTIVE FOR UPDATE TO "réader", plain USING ("select" <> E'\\') WITH CHECK (true);

CREATE TABLE empty (id int);
CREATE TABLE no_columns ();
INSERT INTO no_columns SELECT FROM generate_series(1, 5);
CREATE TABLE dropped_columns (a int, b int, c int);
INSERT INTO dropped_columns VALUES (1, 2, 3);
ALTER TABLE dropped_columns DROP a, DROP b, DROP c;
CREATE TABLE only_generated (a int GENERATED ALWAYS AS (1 + 1) STORED);
INSERT INTO only_generated DEFAULT VALUES;
INSERT INTO only_generated DEFAULT VALUES;
CREATE UNLOGGED TABLE volatile AS SELECT 1 AS one;
CREATE TABLE of_type OF types.changed (PRIMARY KEY (a), c WITH OPTIONS DEFAULT 'x');
INSERT INTO of_type VALUES (1, DEFAULT);
CREATE TABLE other_method (a int) USING heap_too;
INSERT INTO other_method VALUES (1), (2);
CREATE TABLE in_place (a int PRIMARY KEY USING INDEX TABLESPACE "in place", b text) TABLESPACE "in place";
INSERT INTO in_place VALUES (1, 'x');
CREATE INDEX ON in_place (b) TABLESPACE "in place";
CREATE TABLE generated (id serial, a int NOT NULL, b int GENERATED ALWAYS AS (a * 2) STORED, c int GENERATED ALWAYS AS IDENTITY, d text DEFAULT app.shouted('x'),
    e timestamptz DEFAULT '2020-01-01 00:00:00+02', f interval DEFAULT '1 day', g date DEFAULT '2020-12-31', h float8 DEFAULT 0.1, i text DEFAULT E'a\\b');
INSERT INTO generated (a) SELECT generate_series(1, 9);
ALTER SEQUENCE generated_id_seq OWNER TO postgres;
CREATE TABLE with_toast (a int, b text, c bytea);
ALTER TABLE with_toast ALTER c SET STORAGE external;
INSERT INTO with_toast SELECT i, repeat(md5(i::text), 30000), convert_to(repeat(chr(i + 64), 100000), 'UTF8') FROM generate_series(1, 5) i;
INSERT INTO with_toast SELECT i, repeat('x', (i * 7919) % 3000), NULL FROM generate_series(1, 500) i;
DO $$ BEGIN EXECUTE 'CREATE TABLE wide (' || (SELECT string_agg(format('c%s text DEFAULT %L', i, i), ', ') FROM generate_series(1, 1200) i) || ')'; END $$;
INSERT INTO wide DEFAULT VALUES;
INSERT INTO wide DEFAULT VALUES;

-- Constraints, indexes, statistics.
CREATE TABLE app.parent (id int PRIMARY KEY, code text CONSTRAINT "the ""code""" UNIQUE DEFERRABLE INITIALLY DEFERRED, other int, CHECK (other > 0) NO INHERIT, UNIQUE NULLS NOT DISTINCT (other, code) INCLUDE (id));
INSERT INTO app.parent SELECT i, 'c' || i, i FROM generate_series(1, 50) i;
CREATE TABLE app.child (id int GENERATED ALWAYS AS IDENTITY, parent int CONSTRAINT refers REFERENCES app.parent ON DELETE CASCADE ON UPDATE SET NULL DEFERRABLE INITIALLY DEFERRED,
    code text, during tstzrange, a int, b int,
    EXCLUDE USING gist (during WITH &&) WHERE (a > 0) DEFERRABLE, CONSTRAINT positive CHECK (a > 0));
INSERT INTO app.child (parent, a, b, during) SELECT 1 + i % 50, i, -i, tstzrange('2020-01-01'::timestamptz + i * interval '1 day', '2020-01-01'::timestamptz + (i + 1) * interval '1 day') FROM generate_series(1, 200) i;
ALTER TABLE app.child ADD CONSTRAINT later CHECK (b > 0) NOT VALID, ADD CONSTRAINT refers_later FOREIGN KEY (b) REFERENCES app.parent NOT VALID;
COMMENT ON CONSTRAINT refers ON app.child IS 'a foreign key';
COMMENT ON CONSTRAINT positive ON app.child IS 'a check';
CREATE TABLE app.mutual_a (id int PRIMARY KEY, other int);
CREATE TABLE app.mutual_b (id int PRIMARY KEY, other int REFERENCES app.mutual_a DEFERRABLE INITIALLY DEFERRED);
INSERT INTO app.mutual_a VALUES (1, 1);
INSERT INTO app.mutual_b VALUES (1, 1);
ALTER TABLE app.mutual_a ADD FOREIGN KEY (other) REFERENCES app.mutual_b MATCH FULL ON DELETE SET DEFAULT;
CREATE TABLE app.itself (id int PRIMARY KEY, up int REFERENCES app.itself);
INSERT INTO app.itself SELECT i, NULLIF(51 - i, 25 + 26) FROM generate_series(1, 50) i;
CREATE INDEX child_expression ON app.child (app.shouted(code), (a + b) DESC NULLS LAST) WHERE a > 10;
CREATE UNIQUE INDEX child_partial ON app.child (b) INCLUDE (a) NULLS NOT DISTINCT WHERE a > 0;
CREATE INDEX child_hash ON app.child USING hash (a) WITH (fillfactor = 60);
CREATE INDEX child_brin ON app.child USING brin (a int4_minmax_multi_ops (values_per_range = 16)) WITH (pages_per_range = 4);
CREATE INDEX values_too ON app.values USING gist_too (bo types.boxes);
CREATE INDEX values_gin ON app.values USING gin (jb jsonb_path_ops) WITH (fastupdate = off);
CREATE INDEX values_spgist ON app.values USING spgist (ip inet_ops);
CREATE INDEX values_collated ON app.values (t COLLATE "POSIX" text_pattern_ops DESC) WHERE length(t) < 100;
CREATE INDEX values_base ON app.values (base, base_array);
CREATE UNIQUE INDEX values_identity ON app.child (id);
ALTER TABLE app.child ALTER id SET NOT NULL, REPLICA IDENTITY USING INDEX values_identity;
CREATE INDEX child_clustered ON app.child (parent);
ALTER TABLE app.child CLUSTER ON child_clustered;
ALTER INDEX app.child_expression ALTER COLUMN 2 SET STATISTICS 300;
COMMENT ON INDEX app.child_expression IS 'an index';
CREATE STATISTICS app.dependent (dependencies, ndistinct, mcv) ON a, b, parent FROM app.child;
CREATE STATISTICS app."of expressions" ON (a + b), lower(code) FROM app.child;
CREATE STATISTICS app.of_one ON (a % 7) FROM app.child;
ALTER STATISTICS app.dependent SET STATISTICS 77;
COMMENT ON STATISTICS app.dependent IS 'statistics';
ALTER STATISTICS app.of_one OWNER TO "owner ""o""";
ALTER TABLE app.child OWNER TO "owner ""o""";
-- An owner without privileges on its own table, to which a foreign key leads.
ALTER TABLE app.parent OWNER TO "owner ""o""";
REVOKE ALL ON app.parent FROM "owner ""o""";

-- Inheritance: children that got columns of their parents later, in another order.
CREATE TABLE app.base (a int, b text DEFAULT 'of base', c date, CHECK (a IS NOT NULL));
CREATE TABLE app.second (c date, z int NOT NULL DEFAULT 0);
CREATE TABLE app.heir (own int, b text DEFAULT 'of heir', a int, CONSTRAINT base_a_check CHECK (a IS NOT NULL)) ;
ALTER TABLE app.heir ADD c date, INHERIT app.base;
CREATE TABLE app.both (mine int) INHERITS (app.base, app.second);
CREATE TABLE app.grown (x int) INHERITS (app.base);
ALTER TABLE app.base ADD later int DEFAULT 5;
ALTER TABLE app.grown ADD y int;
ALTER TABLE app.base ADD latest text, DROP c;
CREATE TABLE app.grandchild (b text DEFAULT NULL) INHERITS (app.grown, app.heir);
INSERT INTO app.base (a, latest) VALUES (1, 'l');
INSERT INTO app.heir (own, a, latest) SELECT i, -i, 'h' || i FROM generate_series(1, 300) i;
INSERT INTO app.both (mine, a, z) VALUES (1, 2, 3);
INSERT INTO app.grown (x, a, y) VALUES (1, 2, 3), (4, 5, 6);
INSERT INTO app.grandchild (x, a, y, own) VALUES (1, 2, 3, 4), (5, 6, 7, 8);

-- Partitions of all kinds.
CREATE TABLE app.by_range (at date NOT NULL, v types.positive DEFAULT 3, code text, PRIMARY KEY (at, v)) PARTITION BY RANGE (at, v);
CREATE TABLE app.by_range_2024 PARTITION OF app.by_range (v DEFAULT 4, CONSTRAINT own CHECK (v < 100000)) FOR VALUES FROM ('2024-01-01', MINVALUE) TO ('2025-01-01', 10);
CREATE TABLE app.by_range_2025 (junk int, code text, v types.positive NOT NULL, more int, at date NOT NULL);
ALTER TABLE app.by_range_2025 DROP junk, DROP more;
ALTER TABLE app.by_range ATTACH PARTITION app.by_range_2025 FOR VALUES FROM ('2025-01-01', 10) TO (MAXVALUE, MAXVALUE);
CREATE TABLE app.by_range_rest PARTITION OF app.by_range DEFAULT;
INSERT INTO app.by_range SELECT '2023-06-01'::date + i, 20 + i % 20, 'c' || i FROM generate_series(1, 900) i;
CREATE INDEX by_range_code ON app.by_range (code);
CREATE INDEX by_range_only ON ONLY app.by_range (v);
CREATE INDEX by_range_2024_v ON app.by_range_2024 (v);
ALTER INDEX app.by_range_only ATTACH PARTITION app.by_range_2024_v;
COMMENT ON TABLE app.by_range_2024 IS 'a partition';
CREATE TABLE app.by_list (kind text COLLATE "C", n int) PARTITION BY LIST (lower(kind));
CREATE TABLE app.by_list_a PARTITION OF app.by_list FOR VALUES IN ('a', E'b''\n', NULL) PARTITION BY HASH (n);
CREATE TABLE app.by_list_a0 PARTITION OF app.by_list_a FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE app.by_list_a1 PARTITION OF app.by_list_a FOR VALUES WITH (MODULUS 4, REMAINDER 1) TABLESPACE "in place";
CREATE TABLE app.by_list_a3 (n int, kind text COLLATE "C");
ALTER TABLE app.by_list_a ATTACH PARTITION app.by_list_a3 FOR VALUES WITH (MODULUS 4, REMAINDER 3);
CREATE UNLOGGED TABLE app.by_list_rest PARTITION OF app.by_list DEFAULT;
INSERT INTO app.by_list SELECT CASE i % 4 WHEN 0 THEN 'A' WHEN 1 THEN E'b''\n' WHEN 2 THEN NULL ELSE 'z' END, i FROM generate_series(1, 200) i;
-- Rows of these can come back in another partition: the hash of an enum value is that of its OID. pg_dump writes them by the root.
CREATE TABLE app.by_enum (mood types.mood, n int) PARTITION BY HASH (mood);
CREATE TABLE app.by_enum_0 PARTITION OF app.by_enum FOR VALUES WITH (MODULUS 3, REMAINDER 0);
CREATE TABLE app.by_enum_1 PARTITION OF app.by_enum FOR VALUES WITH (MODULUS 3, REMAINDER 1);
CREATE TABLE app.by_enum_2 (n int, mood types.mood);
ALTER TABLE app.by_enum ATTACH PARTITION app.by_enum_2 FOR VALUES WITH (MODULUS 3, REMAINDER 2);
INSERT INTO app.by_enum SELECT (enum_range(NULL::types.mood))[1 + i % 6], i FROM generate_series(1, 100) i;
CREATE TABLE app.refers_to_range (at date, v types.positive, FOREIGN KEY (at, v) REFERENCES app.by_range ON DELETE CASCADE) PARTITION BY RANGE (at);
CREATE TABLE app.refers_to_range_1 PARTITION OF app.refers_to_range FOR VALUES FROM (MINVALUE) TO ('2024-06-01');
CREATE TABLE app.refers_to_range_2 PARTITION OF app.refers_to_range FOR VALUES FROM ('2024-06-01') TO (MAXVALUE);
INSERT INTO app.refers_to_range SELECT at, v FROM app.by_range LIMIT 300;
CREATE TABLE app.no_partitions (a int) PARTITION BY LIST (a);

-- Views, materialised views, rules.
CREATE VIEW app.plain AS SELECT id, code FROM app.parent WHERE other > 3;
CREATE VIEW app.checked WITH (security_barrier, security_invoker) AS SELECT id, code, other FROM app.parent WHERE id > 0 WITH CASCADED CHECK OPTION;
CREATE VIEW app.local WITH (check_option = local) AS SELECT * FROM app.checked;
ALTER VIEW app.plain ALTER code SET DEFAULT 'by the view';
COMMENT ON VIEW app.plain IS 'a view';
COMMENT ON COLUMN app.plain.code IS 'of a view';
-- Depends on the primary key, which pg_dump makes later: written in two steps.
CREATE VIEW app.by_key AS SELECT p.*, count(*) AS n FROM app.parent p GROUP BY p.id;
CREATE VIEW app.on_top AS SELECT * FROM app.by_key WHERE n > 0;
CREATE RECURSIVE VIEW app.counting (n) AS SELECT 1 UNION ALL SELECT n + 1 FROM counting WHERE n < 5;
CREATE VIEW app.all_sorts AS SELECT DISTINCT ON (t.a) t.a AS "A b", row_number() OVER w AS rn, CASE WHEN t.b IS NULL THEN 'x'::types.letters ELSE NULL END AS l,
    ROW(t.a, 'x', ARRAY[1])::types.pair AS pair, '1 day'::interval AS i, '2020-02-03'::date AS d, '2020-02-03 04:05:06+00'::timestamptz AS tz, '\xff'::bytea AS raw, 1.5::float4 AS f, E'\\'::text AS back, lateral_one.s
    FROM app.child t LEFT JOIN LATERAL (SELECT sum(u.a) AS s FROM app.child u WHERE u.parent = t.parent) lateral_one ON true
    WHERE t.a = ANY (ARRAY[1, 2, 3]) OR EXISTS (SELECT 1 FROM app.parent WHERE parent.id = t.a) WINDOW w AS (PARTITION BY t.a ORDER BY t.b DESC ROWS BETWEEN 1 PRECEDING AND CURRENT ROW EXCLUDE TIES) ORDER BY t.a, t.b;
CREATE VIEW app.nothing AS SELECT;
CREATE MATERIALIZED VIEW app.filled WITH (fillfactor = 70) AS SELECT parent, sum(a) AS s FROM app.child GROUP BY parent;
CREATE UNIQUE INDEX filled_parent ON app.filled (parent);
CREATE MATERIALIZED VIEW app.on_filled AS SELECT count(*) AS n FROM app.filled;
CREATE MATERIALIZED VIEW app.by_key_too AS SELECT * FROM app.by_key;
CREATE MATERIALIZED VIEW app.unfilled AS SELECT 1 AS one WITH NO DATA;
CREATE MATERIALIZED VIEW app.on_unfilled TABLESPACE "in place" AS SELECT 2 AS two WITH NO DATA;
ALTER MATERIALIZED VIEW app.filled CLUSTER ON filled_parent;
COMMENT ON MATERIALIZED VIEW app.filled IS 'a materialised view';
ALTER MATERIALIZED VIEW app.on_filled OWNER TO "owner ""o""";
GRANT SELECT ON app.filled TO PUBLIC;
CREATE RULE "ru""le" AS ON INSERT TO app.plain DO INSTEAD INSERT INTO app.parent (id, code) VALUES (NEW.id, NEW.code);
CREATE RULE also AS ON UPDATE TO app.child WHERE NEW.a <> OLD.a DO ALSO (INSERT INTO empty VALUES (NEW.id); DELETE FROM empty WHERE id = OLD.id);
CREATE RULE off AS ON DELETE TO app.child DO INSTEAD NOTHING;
ALTER TABLE app.child DISABLE RULE off;
ALTER TABLE app.child ENABLE ALWAYS RULE also;
COMMENT ON RULE also ON app.child IS 'a rule';

-- Triggers of all kinds.
CREATE FUNCTION app.touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE TRIGGER before_row BEFORE INSERT OR UPDATE OF a, b ON app.child FOR EACH ROW WHEN (NEW.a > 0) EXECUTE FUNCTION app.touch('x', E'y''\\', '');
CREATE TRIGGER after_statement AFTER DELETE OR TRUNCATE ON app.child EXECUTE FUNCTION app.touch();
CREATE TRIGGER transition AFTER UPDATE ON app.child REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.touch();
CREATE CONSTRAINT TRIGGER checked AFTER INSERT ON app.child FROM app.parent DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.b IS NULL) EXECUTE FUNCTION app.touch();
CREATE TRIGGER "off ""t" AFTER INSERT ON app.child FOR EACH ROW EXECUTE FUNCTION app.touch();
CREATE TRIGGER on_replica AFTER INSERT ON app.child FOR EACH ROW EXECUTE FUNCTION app.touch();
CREATE TRIGGER always AFTER INSERT ON app.child FOR EACH ROW EXECUTE FUNCTION app.touch();
ALTER TABLE app.child DISABLE TRIGGER "off ""t", ENABLE REPLICA TRIGGER on_replica, ENABLE ALWAYS TRIGGER always;
CREATE TRIGGER instead INSTEAD OF INSERT ON app.by_key FOR EACH ROW EXECUTE FUNCTION app.touch();
CREATE TRIGGER of_partitions AFTER INSERT ON app.by_range FOR EACH ROW EXECUTE FUNCTION app.touch();
ALTER TABLE app.by_range_2024 DISABLE TRIGGER of_partitions;
COMMENT ON TRIGGER before_row ON app.child IS 'a trigger';
-- Fires while the data is loaded, were it there already: it would spoil every row.
CREATE FUNCTION app.spoil() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.note := 'spoilt'; RETURN NEW; END $$;
CREATE TABLE app.spoilt (note text);
INSERT INTO app.spoilt VALUES ('good');
CREATE TRIGGER spoil BEFORE INSERT ON app.spoilt FOR EACH ROW EXECUTE FUNCTION app.spoil();
ALTER TABLE app.spoilt ENABLE ALWAYS TRIGGER spoil;
CREATE FUNCTION app.noted() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$;
CREATE EVENT TRIGGER noted ON ddl_command_end WHEN TAG IN ('CREATE TABLE', 'ALTER TABLE') EXECUTE FUNCTION app.noted();
CREATE EVENT TRIGGER "Reÿwrite" ON table_rewrite EXECUTE FUNCTION app.noted();
CREATE EVENT TRIGGER dropped ON sql_drop EXECUTE FUNCTION app.noted();
ALTER EVENT TRIGGER dropped DISABLE;
ALTER EVENT TRIGGER noted ENABLE ALWAYS;
COMMENT ON EVENT TRIGGER noted IS 'an event trigger';

-- Row-level security.
ALTER TABLE app.parent ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.by_list ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.by_list FORCE ROW LEVEL SECURITY;
CREATE POLICY readers ON app.parent FOR SELECT TO "réader" USING (id > 3);
CREATE POLICY writers ON app.parent AS RESTRICTIVE FOR INSERT TO PUBLIC WITH CHECK (EXISTS (SELECT 1 FROM app.child WHERE child.id = parent.id));
CREATE POLICY everything ON app.parent TO CURRENT_USER USING (true);
COMMENT ON POLICY readers ON app.parent IS 'a policy';

-- Foreign data.
CREATE FOREIGN DATA WRAPPER "the wrapper" OPTIONS (a 'b', "C ""d" 'e''f\');
CREATE SERVER elsewhere TYPE 'a ''type' VERSION '1.0' FOREIGN DATA WRAPPER "the wrapper" OPTIONS (host 'x', "odd _" 'y z');
CREATE USER MAPPING FOR "réader" SERVER elsewhere OPTIONS (user 'u', password 'hunter2-secret''');
CREATE USER MAPPING FOR PUBLIC SERVER elsewhere;
CREATE FOREIGN TABLE app.far_away (a int OPTIONS (column_name 'A') NOT NULL, b text COLLATE "C" DEFAULT 'x', CHECK (a > 0)) SERVER elsewhere OPTIONS (relation 'r');
CREATE FOREIGN TABLE app.far_child (extra int) INHERITS (app.base) SERVER elsewhere;
ALTER TABLE app.by_list ADD CONSTRAINT small CHECK (n < 1000000);
COMMENT ON FOREIGN DATA WRAPPER "the wrapper" IS 'a wrapper';
COMMENT ON SERVER elsewhere IS 'a server';
COMMENT ON FOREIGN TABLE app.far_away IS 'a foreign table';
ALTER SERVER elsewhere OWNER TO "owner ""o""";
GRANT USAGE ON FOREIGN DATA WRAPPER "the wrapper" TO "owner ""o""" WITH GRANT OPTION;
GRANT USAGE ON FOREIGN SERVER elsewhere TO plain;
GRANT SELECT ON app.far_away TO "réader";

-- Publications.
CREATE PUBLICATION everything FOR ALL TABLES WITH (publish = 'insert, truncate');
CREATE PUBLICATION "some ""p" FOR TABLE app.parent (id, code) WHERE (id > 3), TABLE ONLY app.base WITH (publish_via_partition_root = true);
CREATE PUBLICATION nothing;
CREATE PUBLICATION schemas FOR TABLES IN SCHEMA types, app, TABLE empty WHERE (id > 3);
COMMENT ON PUBLICATION nothing IS 'a publication';
ALTER PUBLICATION nothing OWNER TO postgres;

-- Privileges of all kinds, by several grantors.
CREATE TABLE grants.t (a int, b int, c int);
GRANT ALL ON grants.t TO "owner ""o""" WITH GRANT OPTION;
GRANT SELECT, INSERT (a, b), UPDATE (c), REFERENCES (a) ON grants.t TO plain;
GRANT USAGE ON SCHEMA grants TO "owner ""o""", "réader" WITH GRANT OPTION;
GRANT USAGE ON SCHEMA app TO "réader";
SET SESSION AUTHORIZATION "owner ""o""";
GRANT SELECT, TRIGGER ON grants.t TO "réader" WITH GRANT OPTION;
GRANT USAGE ON SCHEMA grants TO plain;
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION "réader";
GRANT SELECT ON grants.t TO PUBLIC;
RESET SESSION AUTHORIZATION;
-- Revoked from the system's own objects.
REVOKE EXECUTE ON FUNCTION pg_catalog.pg_sleep(float8) FROM PUBLIC;
GRANT SELECT ON pg_catalog.pg_authid TO "réader";
GRANT SELECT (rolname) ON pg_catalog.pg_authid TO plain;
REVOKE SELECT ON pg_catalog.pg_statistic_ext FROM PUBLIC;
REVOKE USAGE ON LANGUAGE sql FROM PUBLIC;
REVOKE USAGE ON SCHEMA information_schema FROM PUBLIC;
REVOKE USAGE ON TYPE types.span FROM PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO "réader";
ALTER DEFAULT PRIVILEGES FOR ROLE "owner ""o""" IN SCHEMA app GRANT SELECT, INSERT ON TABLES TO "réader" WITH GRANT OPTION;
ALTER DEFAULT PRIVILEGES FOR ROLE "owner ""o""" IN SCHEMA app GRANT ALL ON SEQUENCES TO plain;
ALTER DEFAULT PRIVILEGES FOR ROLE "owner ""o""" REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE "owner ""o""" REVOKE USAGE ON TYPES FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE "réader" REVOKE ALL ON TABLES FROM "réader";
ALTER DEFAULT PRIVILEGES FOR ROLE plain GRANT USAGE ON SCHEMAS TO "réader";

-- Large objects.
SELECT lo_from_bytea(70000, 'a large object'), lo_from_bytea(70001, ''), lo_from_bytea(4000000000, convert_to(repeat('0123456789', 300000), 'UTF8')), lo_from_bytea(70002, '\x00ff'), lo_from_bytea(70003, 'x');
ALTER LARGE OBJECT 70001 OWNER TO "owner ""o""";
ALTER LARGE OBJECT 70002 OWNER TO "owner ""o""";
GRANT SELECT ON LARGE OBJECT 70000 TO "réader";
GRANT SELECT ON LARGE OBJECT 70003 TO "réader";
GRANT SELECT, UPDATE ON LARGE OBJECT 70002 TO plain WITH GRANT OPTION;
GRANT SELECT ON LARGE OBJECT 70002 TO PUBLIC;
REVOKE ALL ON LARGE OBJECT 70003 FROM postgres;
COMMENT ON LARGE OBJECT 70000 IS 'a large object; with a comment';
