-- Run in the transaction that restores, once what the backup has is dropped: what the live database gives to every new object, and the privileges on schema
-- public, which is not made again, are taken back to what a new database has. Those of the backup follow, as differences from that.
-- A default for a whole database takes the place of the built-in one (acldefault in src/backend/utils/adt/acl.c), which is made again.
DO $backproof$
DECLARE
    one record;
    kind pg_catalog.text;
    whose pg_catalog.text;
    who pg_catalog.text;
BEGIN
    FOR one IN
        SELECT d.defaclobjtype AS kind, pg_catalog.pg_get_userbyid(d.defaclrole) AS role, n.nspname AS schema, a.grantees
        FROM pg_catalog.pg_default_acl d
        LEFT JOIN pg_catalog.pg_namespace n ON n.oid = d.defaclnamespace
        CROSS JOIN LATERAL (SELECT pg_catalog.array_agg(DISTINCT x.grantee) AS grantees FROM pg_catalog.aclexplode(d.defaclacl) x) a
        WHERE pg_catalog.pg_has_role(d.defaclrole, 'USAGE')
    LOOP
        kind := CASE one.kind WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS' WHEN 'T' THEN 'TYPES' WHEN 'n' THEN 'SCHEMAS' ELSE 'LARGE OBJECTS' END;
        whose := pg_catalog.format('ALTER DEFAULT PRIVILEGES FOR ROLE %I', one.role);
        IF one.schema IS NOT NULL THEN whose := whose || pg_catalog.format(' IN SCHEMA %I', one.schema); END IF;
        FOR who IN
            SELECT CASE WHEN g = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(g)) END FROM pg_catalog.unnest(one.grantees) g
        LOOP
            EXECUTE pg_catalog.format('%s REVOKE ALL ON %s FROM %s', whose, kind, who);
        END LOOP;
        IF one.schema IS NULL THEN
            EXECUTE pg_catalog.format('%s GRANT ALL ON %s TO %I', whose, kind, one.role);
            IF one.kind = 'f' THEN EXECUTE whose || ' GRANT EXECUTE ON FUNCTIONS TO PUBLIC'; END IF;
            IF one.kind = 'T' THEN EXECUTE whose || ' GRANT USAGE ON TYPES TO PUBLIC'; END IF;
        END IF;
    END LOOP;
    FOR one IN
        SELECT pg_catalog.pg_get_userbyid(n.nspowner) AS owner,
               ARRAY(SELECT DISTINCT x.grantee FROM pg_catalog.aclexplode(n.nspacl) x) AS grantees
        FROM pg_catalog.pg_namespace n
        WHERE n.nspname = 'public' AND n.nspacl IS NOT NULL AND pg_catalog.pg_has_role(n.nspowner, 'USAGE')
    LOOP
        FOR who IN
            SELECT CASE WHEN g = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(g)) END FROM pg_catalog.unnest(one.grantees) g
        LOOP
            EXECUTE pg_catalog.format('REVOKE ALL ON SCHEMA public FROM %s CASCADE', who);
        END LOOP;
        EXECUTE pg_catalog.format('GRANT ALL ON SCHEMA public TO %I', one.owner);
        -- Until 15, everybody could make things there.
        IF pg_catalog.current_setting('server_version_num')::pg_catalog.int4 < 150000 THEN GRANT ALL ON SCHEMA public TO PUBLIC;
        ELSE GRANT USAGE ON SCHEMA public TO PUBLIC; END IF;
    END LOOP;
END $backproof$
