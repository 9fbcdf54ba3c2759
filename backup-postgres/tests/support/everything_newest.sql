-- What came after PostgreSQL 16.
CREATE COLLATION types.built_in (PROVIDER = builtin, LOCALE = 'C.UTF-8');
CREATE TABLE app.newest (
    id int4range, valid daterange, a int, b int GENERATED ALWAYS AS (a * 2) VIRTUAL, c text COLLATE types.built_in CONSTRAINT "never null" NOT NULL,
    CONSTRAINT unsure CHECK (a > 0) NOT ENFORCED, PRIMARY KEY (id, valid WITHOUT OVERLAPS)
);
INSERT INTO app.newest VALUES ('[1,2)', '[2020-01-01,2021-01-01)', 1, DEFAULT, 'x'), ('[1,2)', '[2021-01-01,2022-01-01)', -2, DEFAULT, 'y');
CREATE TABLE app.newest_child (id int4range, valid daterange, FOREIGN KEY (id, PERIOD valid) REFERENCES app.newest (id, PERIOD valid));
INSERT INTO app.newest_child VALUES ('[1,2)', '[2020-06-01,2021-06-01)');
CREATE TABLE app.nullable (a int, b int);
INSERT INTO app.nullable VALUES (NULL, 1);
ALTER TABLE app.nullable ADD CONSTRAINT later NOT NULL a NOT VALID, ADD CONSTRAINT unforced FOREIGN KEY (b) REFERENCES app.parent NOT ENFORCED;
COMMENT ON CONSTRAINT later ON app.nullable IS 'not null';
CREATE TABLE app.identities (id int GENERATED ALWAYS AS IDENTITY, k int) PARTITION BY LIST (k);
CREATE TABLE app.identities_1 PARTITION OF app.identities FOR VALUES IN (1);
INSERT INTO app.identities (k) VALUES (1), (1);
CREATE TABLE app.method_of_partitions (a int) PARTITION BY LIST (a) USING heap_too;
ALTER TABLE app.method_of_partitions OWNER TO "owner ""o""";
GRANT MAINTAIN ON app.newest TO "réader";
CREATE PUBLICATION of_generated FOR TABLE generated WITH (publish_generated_columns = stored);
