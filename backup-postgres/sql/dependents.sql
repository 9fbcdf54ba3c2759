-- $1: relations that are left out. Gives these and everything that depends on them, as pg_depend says, to the end of every chain.
-- A view depends through its rule: the rule's view is followed too.
WITH RECURSIVE gone (classid, objid) AS (
    SELECT 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid, r FROM pg_catalog.unnest($1::pg_catalog.oid[]) r
    UNION
    SELECT next.classid, next.objid
    FROM gone g
    JOIN pg_catalog.pg_depend d ON d.refclassid = g.classid AND d.refobjid = g.objid AND d.deptype <> 'e'
    CROSS JOIN LATERAL (
        SELECT d.classid, d.objid
        UNION ALL
        SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, w.ev_class FROM pg_catalog.pg_rewrite w
        WHERE d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND w.oid = d.objid AND w.rulename = '_RETURN'
    ) next
), roots AS (
    -- A foreign key to one partition is a piece of the one that people know.
    SELECT DISTINCT g.classid, COALESCE(top.oid, g.objid) AS objid
    FROM gone g
    LEFT JOIN LATERAL (
        WITH RECURSIVE up (oid, parent) AS (
            SELECT k.oid, k.conparentid FROM pg_catalog.pg_constraint k
            WHERE g.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND k.oid = g.objid AND k.contype = 'f'
            UNION ALL
            SELECT k.oid, k.conparentid FROM up JOIN pg_catalog.pg_constraint k ON k.oid = up.parent
        ) SELECT up.oid FROM up WHERE up.parent = 0
    ) top ON true
)
SELECT c.oid AS relation, c.relkind::pg_catalog.text AS relation_kind,
       n.nspname::pg_catalog.text AS schema, c.relname::pg_catalog.text AS name,
       -- The relation that it is a piece of, for what is no relation.
       COALESCE(a.adrelid, k.conrelid, t.tgrelid, p.polrelid, w.ev_class,
                CASE WHEN y.typrelid <> 0 THEN y.typrelid WHEN e.typrelid <> 0 THEN e.typrelid END, i.indrelid) AS piece_of,
       o.type AS kind, o.identity
FROM roots g
CROSS JOIN LATERAL pg_catalog.pg_identify_object(g.classid, g.objid, 0) o
LEFT JOIN pg_catalog.pg_class c ON g.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND c.oid = g.objid
LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid
LEFT JOIN pg_catalog.pg_attrdef a ON g.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND a.oid = g.objid
LEFT JOIN pg_catalog.pg_constraint k ON g.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND k.oid = g.objid
LEFT JOIN pg_catalog.pg_trigger t ON g.classid = 'pg_catalog.pg_trigger'::pg_catalog.regclass AND t.oid = g.objid
LEFT JOIN pg_catalog.pg_policy p ON g.classid = 'pg_catalog.pg_policy'::pg_catalog.regclass AND p.oid = g.objid
LEFT JOIN pg_catalog.pg_rewrite w ON g.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND w.oid = g.objid
LEFT JOIN pg_catalog.pg_type y ON g.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND y.oid = g.objid
LEFT JOIN pg_catalog.pg_type e ON e.oid = y.typelem AND y.typelem <> 0
WHERE o.type IS NOT NULL AND t.tgisinternal IS NOT TRUE
ORDER BY o.type, o.identity
