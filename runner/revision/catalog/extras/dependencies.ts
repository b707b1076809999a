import { objectCatalogs } from "./objects.ts";

const catalogs = objectCatalogs.map((name) => `'${name}'::regclass`).join(", ");

const id = (kind: string, rest: string) => `json_build_object('kind', ${kind}, ${rest})`;
const named = (schema: string, name: string) => `'schema', ${schema}, 'name', ${name}`;
const part = (table: string, name: string) => `'schema', n.nspname, 'table', ${table}, 'name', ${name}`;
const relationKind = `CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materializedView' WHEN 'f' THEN 'foreignTable'
  WHEN 'i' THEN 'index' WHEN 'I' THEN 'index' WHEN 'S' THEN 'sequence' WHEN 'c' THEN 'type' ELSE 'table' END`;
const ofTable = (catalog: string, relation: string) =>
  `FROM ${catalog} x JOIN pg_class c ON c.oid = x.${relation} JOIN pg_namespace n ON n.oid = c.relnamespace`;

/** pg-delta's id of an object that takes part in a dependency, as JSON; null where it has none. */
function pgDeltaId(catalog: string, oid: string, column: string): string {
  return `CASE ${catalog}
    WHEN 'pg_class'::regclass THEN (SELECT CASE
        WHEN a.attname IS NOT NULL AND c.relkind IN ('r', 'p', 'f') THEN ${id("'column'", part("c.relname", "a.attname"))}
        ELSE ${id(relationKind, named("n.nspname", "c.relname"))} END
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ${column} AND a.attnum > 0 WHERE c.oid = ${oid})
    WHEN 'pg_proc'::regclass THEN (SELECT ${id("CASE p.prokind WHEN 'a' THEN 'aggregate' WHEN 'p' THEN 'procedure' ELSE 'function' END", `${named("n.nspname", "p.proname")}, 'args', ARRAY(SELECT format_type(t.t, NULL) FROM unnest(p.proargtypes) WITH ORDINALITY AS t(t, i) ORDER BY t.i)::text[]`)}
      FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE p.oid = ${oid})
    WHEN 'pg_type'::regclass THEN (SELECT ${id("CASE WHEN t.typtype = 'd' THEN 'domain' WHEN c.relkind IN ('r', 'p') THEN 'table' WHEN c.relkind = 'v' THEN 'view' ELSE 'type' END", named("n.nspname", "t.typname"))}
      FROM pg_type y JOIN pg_type t ON t.oid = CASE WHEN y.typcategory = 'A' AND y.typelem <> 0 THEN y.typelem ELSE y.oid END
      JOIN pg_namespace n ON n.oid = t.typnamespace LEFT JOIN pg_class c ON c.oid = t.typrelid WHERE y.oid = ${oid})
    WHEN 'pg_constraint'::regclass THEN (SELECT ${id("'constraint'", part("c.relname", "x.conname"))} ${ofTable("pg_constraint", "conrelid")} WHERE x.oid = ${oid})
    WHEN 'pg_attrdef'::regclass THEN (SELECT ${id("CASE a.attgenerated WHEN '' THEN 'default' ELSE 'column' END", part("c.relname", "a.attname"))} ${ofTable("pg_attrdef", "adrelid")}
      JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = x.adnum WHERE x.oid = ${oid})
    WHEN 'pg_rewrite'::regclass THEN (SELECT CASE x.rulename WHEN '_RETURN' THEN ${id(relationKind, named("n.nspname", "c.relname"))} ELSE ${id("'rule'", part("c.relname", "x.rulename"))} END
      ${ofTable("pg_rewrite", "ev_class")} WHERE x.oid = ${oid})
    WHEN 'pg_policy'::regclass THEN (SELECT ${id("'policy'", part("c.relname", "x.polname"))} ${ofTable("pg_policy", "polrelid")} WHERE x.oid = ${oid})
    WHEN 'pg_trigger'::regclass THEN (SELECT ${id("'trigger'", part("c.relname", "x.tgname"))} ${ofTable("pg_trigger", "tgrelid")} WHERE x.oid = ${oid})
    WHEN 'pg_namespace'::regclass THEN (SELECT ${id("'schema'", "'name', n.nspname")} FROM pg_namespace n WHERE n.oid = ${oid})
    WHEN 'pg_extension'::regclass THEN (SELECT ${id("'extension'", "'name', x.extname")} FROM pg_extension x WHERE x.oid = ${oid})
  END`;
}

/**
 * Dependencies in which an object of `objects.ts` takes part. An operator or function of an operator class has a row of
 * its own, which counts as the class.
 */
export const dependenciesQuery = `
  WITH member AS (
    SELECT d.classid, d.objid, d.refclassid AS owner_class, d.refobjid AS owner FROM pg_depend d
    WHERE d.classid IN ('pg_amop'::regclass, 'pg_amproc'::regclass) AND d.refclassid IN ('pg_opclass'::regclass, 'pg_opfamily'::regclass)
      AND d.deptype IN ('i', 'a') AND d.objid >= 16384
  ), dependency AS (
    SELECT coalesce(m.owner_class, d.classid) AS classid, coalesce(m.owner, d.objid) AS objid, d.objsubid, d.refclassid, d.refobjid, d.refobjsubid
    FROM pg_depend d LEFT JOIN member m ON m.classid = d.classid AND m.objid = d.objid
    WHERE d.objid >= 16384 AND d.deptype IN ('n', 'a')
      AND (d.classid IN (${catalogs}) OR d.refclassid IN (${catalogs}) OR m.owner IS NOT NULL)
  )
  SELECT classid, objid, refclassid, refobjid, ${pgDeltaId("classid", "objid", "objsubid")} AS "from",
         ${pgDeltaId("refclassid", "refobjid", "refobjsubid")} AS "to"
  FROM dependency WHERE NOT (classid = refclassid AND objid = refobjid)`;

/** What uses a multirange type, which pg-delta does not know: it comes and goes with its range type. */
export const multirangeUsesQuery = `
  SELECT ${pgDeltaId("d.classid", "d.objid", "d.objsubid")} AS "from",
         json_build_object('kind', 'type', 'schema', rn.nspname, 'name', rt.typname) AS "to"
  FROM pg_range r JOIN pg_type rt ON rt.oid = r.rngtypid JOIN pg_namespace rn ON rn.oid = rt.typnamespace
  JOIN pg_type m ON m.oid = r.rngmultitypid
  JOIN pg_depend d ON d.refclassid = 'pg_type'::regclass AND d.refobjid IN (m.oid, m.typarray) AND d.deptype IN ('n', 'a')
  WHERE r.rngtypid >= 16384`;

/**
 * What reads a column that a table has from its parent alone. pg-delta knows no such column, and forgets the dependency: here it
 * is one on the table.
 */
export const inheritedColumnUsesQuery = `
  SELECT DISTINCT ON (d.classid, d.objid, c.oid) ${pgDeltaId("d.classid", "d.objid", "d.objsubid")} AS "from",
         ${id("'table'", named("n.nspname", "c.relname"))} AS "to"
  FROM pg_depend d JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid AND NOT a.attislocal
  JOIN pg_class c ON c.oid = d.refobjid AND c.relkind IN ('r', 'p') JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid >= 16384 AND d.refobjsubid > 0 AND d.deptype = 'n'
    AND d.classid IN ('pg_rewrite'::regclass, 'pg_policy'::regclass, 'pg_trigger'::regclass, 'pg_proc'::regclass)`;
