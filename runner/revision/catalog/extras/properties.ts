import type { StableId } from "@supabase/pg-delta/core";
import { isNotOfExtension, isNotSystemSchema } from "../../../postgres/sql.ts";

/**
 * Queries for what pg_dump shows of a modelled object, and pg-delta does not know. Each gives `key`, `parent`
 * (pg-delta's id, as JSON), the statement that sets the property, the one that takes it back, and what makes it
 * necessary to set it again (`depends`, such as the column's type).
 */

const userRelation = (kinds: string) =>
  `c.oid >= 16384 AND c.relkind IN (${kinds}) AND ${isNotSystemSchema("n.nspname")}
   AND ${isNotOfExtension("pg_class", "c.oid")}`;

const relation = `json_build_object('kind', CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materializedView' WHEN 'f' THEN 'foreignTable'
   WHEN 'S' THEN 'sequence' WHEN 'c' THEN 'type' WHEN 'i' THEN 'index' WHEN 'I' THEN 'index' ELSE 'table' END, 'schema', n.nspname, 'name', c.relname)`;
const column = `CASE WHEN c.relkind IN ('r', 'p') AND a.attislocal THEN json_build_object('kind', 'column', 'schema', n.nspname, 'table', c.relname, 'name', a.attname) ELSE ${relation} END`;
const alterColumn = (what: string) =>
  `format('ALTER %s %I.%I ALTER COLUMN %I ', CASE c.relkind WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'f' THEN 'FOREIGN TABLE' WHEN 'v' THEN 'VIEW' ELSE 'TABLE ONLY' END, n.nspname, c.relname, a.attname) || ${what}`;
const columns = (kinds: string) =>
  `FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
   JOIN pg_type t ON t.oid = a.atttypid
   WHERE a.attrelid >= 16384 AND a.attnum > 0 AND NOT a.attisdropped AND ${userRelation(kinds)}`;
const storageName = (value: string) =>
  `CASE ${value} WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'x' THEN 'EXTENDED' ELSE 'MAIN' END`;
const of = `format('%I.%I.%I', n.nspname, c.relname, a.attname)`;

const storage = `
  SELECT 'storage of ' || ${of}, ${column},
         ${alterColumn(`'SET STORAGE ' || ${storageName("a.attstorage")}`)},
         ${alterColumn(`'SET STORAGE ' || ${storageName("t.typstorage")}`)}, format_type(a.atttypid, a.atttypmod)
  ${columns("'r', 'p', 'm', 'f'")} AND a.attstorage <> t.typstorage`;

const compression = `
  SELECT 'compression of ' || ${of}, ${column},
         ${alterColumn("'SET COMPRESSION ' || CASE a.attcompression WHEN 'l' THEN 'lz4' ELSE 'pglz' END")},
         ${alterColumn("'SET COMPRESSION default'")}, format_type(a.atttypid, a.atttypmod)
  ${columns("'r', 'p', 'm'")} AND a.attcompression <> ''`;

const statisticsTarget = `
  SELECT 'statistics target of ' || ${of}, ${column}, ${alterColumn("'SET STATISTICS ' || a.attstattarget")},
         ${alterColumn("'SET STATISTICS -1'")}, format_type(a.atttypid, a.atttypmod)
  ${columns("'r', 'p', 'm', 'f'")} AND a.attstattarget >= 0`;

const indexStatistics = `
  SELECT format('statistics target of %I.%I.%s', n.nspname, c.relname, a.attnum), ${relation},
         format('ALTER INDEX %I.%I ALTER COLUMN %s SET STATISTICS %s', n.nspname, c.relname, a.attnum, a.attstattarget),
         format('ALTER INDEX %I.%I ALTER COLUMN %s SET STATISTICS -1', n.nspname, c.relname, a.attnum), pg_get_indexdef(c.oid)
  ${columns("'i', 'I'")} AND a.attstattarget >= 0`;

const columnOptions = `
  SELECT format('option %s of ', split_part(o, '=', 1)) || ${of}, ${column}, ${alterColumn("format('SET (%s)', o)")},
         ${alterColumn("format('RESET (%s)', split_part(o, '=', 1))")}, ''
  FROM (SELECT a.*, unnest(a.attoptions) AS o FROM pg_attribute a WHERE a.attrelid >= 16384) a
  JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE NOT a.attisdropped AND ${userRelation("'r', 'p', 'm', 'f'")}`;

const toastOptions = `
  SELECT format('option toast.%s of %I.%I', split_part(o, '=', 1), n.nspname, c.relname), ${relation},
         format('ALTER %s %I.%I SET (toast.%s)', CASE c.relkind WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'TABLE' END, n.nspname, c.relname, o),
         format('ALTER %s %I.%I RESET (toast.%s)', CASE c.relkind WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'TABLE' END, n.nspname, c.relname, split_part(o, '=', 1)), ''
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN (SELECT tc.oid, unnest(tc.reloptions) AS o FROM pg_class tc WHERE tc.relkind = 't') tc ON tc.oid = c.reltoastrelid
  WHERE ${userRelation("'r', 'm'")}`;

/** Its parent is the index, or the constraint behind it, without which there is no clustering. */
const clustered = `
  SELECT format('clustering of %I.%I', n.nspname, c.relname),
         CASE WHEN k.conname IS NULL THEN json_build_object('kind', 'index', 'schema', n.nspname, 'name', ic.relname)
           ELSE json_build_object('kind', 'constraint', 'schema', n.nspname, 'table', c.relname, 'name', k.conname) END,
         format('ALTER %s %I.%I CLUSTER ON %I', CASE c.relkind WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'TABLE' END, n.nspname, c.relname, ic.relname),
         format('ALTER %s %I.%I SET WITHOUT CLUSTER', CASE c.relkind WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'TABLE' END, n.nspname, c.relname), pg_get_indexdef(ic.oid)
  FROM pg_index i JOIN pg_class ic ON ic.oid = i.indexrelid JOIN pg_class c ON c.oid = i.indrelid
  LEFT JOIN pg_constraint k ON k.conindid = ic.oid AND k.conrelid = c.oid AND k.contype IN ('p', 'u', 'x')
  JOIN pg_namespace n ON n.oid = c.relnamespace WHERE i.indrelid >= 16384 AND i.indisclustered AND ${userRelation("'r', 'p', 'm'")}`;

/** A partitioned table may name one for its partitions (from PostgreSQL 17 on). */
const accessMethod = `
  SELECT format('access method of %I.%I', n.nspname, c.relname), ${relation},
         format('ALTER %s %I.%I SET ACCESS METHOD %I', CASE c.relkind WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'TABLE' END, n.nspname, c.relname, m.amname),
         format('ALTER %s %I.%I SET ACCESS METHOD %s', CASE c.relkind WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'TABLE' END, n.nspname, c.relname,
           CASE c.relkind WHEN 'p' THEN 'DEFAULT' ELSE 'heap' END), ''
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_am m ON m.oid = c.relam
  WHERE (m.amname <> 'heap' OR c.relkind = 'p') AND ${userRelation("'r', 'm', 'p'")}`;

/** pg-delta knows the first parent alone. */
const furtherParents = `
  SELECT format('inheritance of %I.%I from %I.%I', n.nspname, c.relname, pn.nspname, p.relname), ${relation},
         format('ALTER TABLE %I.%I INHERIT %I.%I', n.nspname, c.relname, pn.nspname, p.relname),
         format('ALTER TABLE %I.%I NO INHERIT %I.%I', n.nspname, c.relname, pn.nspname, p.relname), ''
  FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_class p ON p.oid = i.inhparent JOIN pg_namespace pn ON pn.oid = p.relnamespace
  WHERE i.inhseqno > 1 AND ${userRelation("'r'")}`;

const typed = `
  SELECT format('type of %I.%I', n.nspname, c.relname), ${relation},
         format('ALTER TABLE %I.%I OF %s', n.nspname, c.relname, format_type(c.reloftype, NULL)),
         format('ALTER TABLE %I.%I NOT OF', n.nspname, c.relname), ''
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.reloftype <> 0 AND ${userRelation("'r', 'p'")}`;

/** A default of an inherited column that its parent does not have. */
const inheritedDefaults = `
  SELECT 'default of ' || ${of}, ${relation}, ${alterColumn("'SET DEFAULT ' || pg_get_expr(d.adbin, d.adrelid)")},
         ${alterColumn("coalesce('SET DEFAULT ' || p.expression, 'DROP DEFAULT')")}, ''
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
  JOIN pg_inherits i ON i.inhrelid = c.oid AND i.inhseqno = 1
  JOIN pg_attribute pa ON pa.attrelid = i.inhparent AND pa.attname = a.attname
  LEFT JOIN LATERAL (SELECT pg_get_expr(pd.adbin, pd.adrelid) AS expression FROM pg_attrdef pd
                     WHERE pd.adrelid = i.inhparent AND pd.adnum = pa.attnum) p ON true
  WHERE a.attrelid >= 16384 AND a.attnum > 0 AND NOT a.attisdropped AND NOT a.attislocal AND a.attgenerated = ''
    AND p.expression IS DISTINCT FROM pg_get_expr(d.adbin, d.adrelid) AND ${userRelation("'r', 'p'")}`;

/** What is special about a NOT NULL from PostgreSQL 18 on: rows may break it, or children need not have it. */
const specialNotNull =
  "k.contype = 'n' AND k.conrelid <> 0 AND k.conislocal AND (k.connoinherit OR NOT k.convalidated)";

/** A child that was made after such a constraint of its parent has a valid one. The down migration takes no statement. */
const validatedNotNull = `
  SELECT format('validity of %I of ', k.conname) || ${of}, ${relation},
         format('ALTER TABLE %I.%I VALIDATE CONSTRAINT %I', n.nspname, c.relname, k.conname), '', ''
  FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.conkey[1]
  WHERE k.contype = 'n' AND NOT k.conislocal AND k.convalidated AND ${userRelation("'r', 'p'")}
    AND EXISTS (SELECT FROM pg_inherits i JOIN pg_constraint pk ON pk.conrelid = i.inhparent AND pk.contype = 'n'
      JOIN pg_attribute pa ON pa.attrelid = i.inhparent AND pa.attnum = pk.conkey[1]
      WHERE i.inhrelid = c.oid AND pa.attname = a.attname AND NOT pk.convalidated)`;

/** NOT NULL of an inherited column that its parent does not have. */
const inheritedNotNull = `
  SELECT 'not null of ' || ${of}, ${relation}, ${alterColumn("'SET NOT NULL'")}, ${alterColumn("'DROP NOT NULL'")}, ''
  ${columns("'r', 'p'")} AND NOT a.attislocal AND a.attnotnull
    AND NOT EXISTS (SELECT FROM pg_inherits i JOIN pg_attribute pa ON pa.attrelid = i.inhparent
      WHERE i.inhrelid = c.oid AND pa.attname = a.attname AND pa.attnotnull AND NOT EXISTS (SELECT FROM pg_constraint k
        WHERE k.conrelid = i.inhparent AND k.contype = 'n' AND k.conkey[1] = pa.attnum AND k.connoinherit))
    AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = c.oid AND k.conkey[1] = a.attnum AND ${specialNotNull})
    AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'p' AND a.attnum = ANY (k.conkey))`;

const notNullConstraints = `
  SELECT format('not null constraint %I%s%s of ', k.conname, CASE WHEN k.connoinherit THEN ', no inherit' ELSE '' END,
                CASE WHEN k.convalidated THEN '' ELSE ', not valid' END) || ${of}, ${column},
         format('ALTER TABLE %I.%I ADD CONSTRAINT %I ', n.nspname, c.relname, k.conname) || pg_get_constraintdef(k.oid),
         format('ALTER TABLE %I.%I ALTER COLUMN %I DROP NOT NULL', n.nspname, c.relname, a.attname), ''
  FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.conkey[1]
  WHERE ${specialNotNull} AND ${userRelation("'r', 'p'")}`;

/** Options of the index behind a constraint, whose definition does not show them. */
const constraintOptions = `
  SELECT format('options of %I.%I', n.nspname, c.relname),
         json_build_object('kind', 'constraint', 'schema', tn.nspname, 'table', t.relname, 'name', k.conname),
         format('ALTER INDEX %I.%I SET (%s)', n.nspname, c.relname, (SELECT string_agg(o, ', ' ORDER BY o) FROM unnest(c.reloptions) o)),
         format('ALTER INDEX %I.%I RESET (%s)', n.nspname, c.relname, (SELECT string_agg(split_part(o, '=', 1), ', ') FROM unnest(c.reloptions) o)),
         pg_get_constraintdef(k.oid)
  FROM pg_constraint k JOIN pg_class c ON c.oid = k.conindid JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_class t ON t.oid = k.conrelid JOIN pg_namespace tn ON tn.oid = t.relnamespace
  WHERE k.contype IN ('p', 'u', 'x') AND c.reloptions IS NOT NULL AND ${userRelation("'i', 'I'")}`;

const viewDefaults = `
  SELECT 'default of ' || ${of}, ${relation}, ${alterColumn("'SET DEFAULT ' || pg_get_expr(d.adbin, d.adrelid)")},
         ${alterColumn("'DROP DEFAULT'")}, ''
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum WHERE a.attrelid >= 16384 AND NOT a.attisdropped AND ${userRelation("'v'")}`;

const columnComments = `
  SELECT 'comment on ' || ${of}, ${relation},
         format('COMMENT ON COLUMN %I.%I.%I IS %L', n.nspname, c.relname, a.attname, d.description),
         format('COMMENT ON COLUMN %I.%I.%I IS NULL', n.nspname, c.relname, a.attname), ''
  FROM pg_description d JOIN pg_class c ON c.oid = d.objoid JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid
  WHERE d.objoid >= 16384 AND d.classoid = 'pg_class'::regclass AND d.objsubid > 0
    AND (c.relkind IN ('v', 'm', 'c') OR (c.relkind IN ('r', 'p') AND NOT a.attislocal)) AND ${userRelation("'v', 'm', 'c', 'r', 'p'")}`;

const foreignOptions = `
  SELECT format('option %s of ', o) || ${of}, json_build_object('kind', 'column', 'schema', n.nspname, 'table', c.relname, 'name', a.attname),
         ${alterColumn("format('OPTIONS (ADD %I %L)', split_part(o, '=', 1), substr(o, strpos(o, '=') + 1))")},
         ${alterColumn("format('OPTIONS (DROP %I)', split_part(o, '=', 1))")}, ''
  FROM (SELECT a.*, unnest(a.attfdwoptions) AS o FROM pg_attribute a WHERE a.attrelid >= 16384) a
  JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE NOT a.attisdropped AND ${userRelation("'f'")}`;

/** Sequences that are unlogged though no unlogged table owns them (from PostgreSQL 15 on). */
const unloggedSequences = `
  SELECT format('persistence of %I.%I', n.nspname, c.relname), ${relation},
         format('ALTER SEQUENCE %I.%I SET UNLOGGED', n.nspname, c.relname), format('ALTER SEQUENCE %I.%I SET LOGGED', n.nspname, c.relname), ''
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relpersistence = 'u' AND NOT EXISTS (SELECT FROM pg_depend o JOIN pg_class oc ON oc.oid = o.refobjid
      WHERE o.classid = 'pg_class'::regclass AND o.objid = c.oid AND o.deptype IN ('a', 'i') AND oc.relpersistence = 'u')
    AND ${userRelation("'S'")}`;

/** How the properties are named that are privileges on columns of views. */
const viewGrant = "grant of ";

/** Tells a privilege on a column of a view that is a role's, not PUBLIC's: pg-delta knows only those of tables. */
export function isViewGrant(id: StableId): boolean {
  return id.kind === "extensionIntent" && id.key.startsWith(viewGrant) && !id.key.includes(" to PUBLIC on ");
}

const grantee = "CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee)) END";
const viewGrants = `
  SELECT format('${viewGrant}%s to %s on %I.%I.%I', g.privilege_type, ${grantee}, n.nspname, c.relname, a.attname), ${relation},
         format('GRANT %s (%I) ON %I.%I TO %s', g.privilege_type, a.attname, n.nspname, c.relname, ${grantee})
           || CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END,
         format('REVOKE %s (%I) ON %I.%I FROM %s', g.privilege_type, a.attname, n.nspname, c.relname, ${grantee}), ''
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  CROSS JOIN LATERAL aclexplode(a.attacl) g
  WHERE a.attacl IS NOT NULL AND g.grantee <> c.relowner AND NOT a.attisdropped AND ${userRelation("'v', 'm'")}`;

/** How the property of a materialized view is named that holds no data. */
const noData = "no data in ";

/** Tells the property of a materialized view that holds no data: it cannot be read before it is refreshed. */
export function isUnpopulated(id: StableId): boolean {
  return id.kind === "extensionIntent" && id.key.startsWith(noData);
}

const unpopulated = `
  SELECT format('${noData}%I.%I', n.nspname, c.relname), ${relation},
         format('REFRESH MATERIALIZED VIEW %I.%I WITH NO DATA', n.nspname, c.relname),
         format('REFRESH MATERIALIZED VIEW %I.%I', n.nspname, c.relname), ''
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE NOT c.relispopulated AND ${userRelation("'m'")}`;

/** Only PostgreSQL 18 and later have the column, so it is asked for by name. */
const publishesGenerated = "to_jsonb(p) ->> 'pubgencols' = 's'";
const publishedGenerated = `
  SELECT format('generated columns of publication %I', p.pubname), json_build_object('kind', 'publication', 'name', p.pubname),
         format('ALTER PUBLICATION %I SET (publish_generated_columns = stored)', p.pubname),
         format('ALTER PUBLICATION %I SET (publish_generated_columns = none)', p.pubname), ''
  FROM pg_publication p WHERE ${publishesGenerated}`;

const ofUsers = "a.attrelid >= 16384 AND a.attnum > 0 AND NOT a.attisdropped";
const someRelation = (what: string) => `SELECT FROM pg_class c WHERE c.oid >= 16384 AND ${what}`;
/** One look at all columns for five kinds. */
const someColumn = `SELECT FROM pg_attribute a WHERE ${ofUsers}
  AND (a.attcompression <> '' OR a.attstattarget >= 0 OR a.attoptions IS NOT NULL OR a.attfdwoptions IS NOT NULL)`;
/** By lists that are hashed, since there is no telling how many columns there are. */
const someStorage = `SELECT FROM pg_attribute a WHERE ${ofUsers}
  AND (a.atttypid, a.attstorage) NOT IN (SELECT oid, typstorage FROM pg_type)
  AND a.attrelid NOT IN (SELECT oid FROM pg_class WHERE relkind NOT IN ('r', 'p', 'm', 'f'))`;

/** All of them, each with a query that is quick and finds something wherever there may be one. */
const all: Readonly<Record<string, readonly [string, string]>> = {
  storage: [someStorage, storage],
  compression: [someColumn, compression],
  statisticsTarget: [someColumn, statisticsTarget],
  indexStatistics: [someColumn, indexStatistics],
  columnOptions: [someColumn, columnOptions],
  toastOptions: [someRelation("c.relkind = 't' AND c.reloptions IS NOT NULL"), toastOptions],
  clustered: ["SELECT FROM pg_index WHERE indrelid >= 16384 AND indisclustered", clustered],
  accessMethod: [
    someRelation(
      "c.relam <> 0 AND (c.relkind = 'p' OR (c.relkind IN ('r', 'm') AND c.relam <> (SELECT oid FROM pg_am WHERE amname = 'heap')))",
    ),
    accessMethod,
  ],
  furtherParents: ["SELECT FROM pg_inherits WHERE inhseqno > 1", furtherParents],
  typed: [someRelation("c.reloftype <> 0"), typed],
  inheritedDefaults: ["SELECT FROM pg_inherits", inheritedDefaults],
  inheritedNotNull: ["SELECT FROM pg_inherits", inheritedNotNull],
  notNullConstraints: [`SELECT FROM pg_constraint k WHERE ${specialNotNull}`, notNullConstraints],
  validatedNotNull: ["SELECT FROM pg_constraint WHERE contype = 'n' AND NOT convalidated", validatedNotNull],
  constraintOptions: [
    someRelation("c.relkind IN ('i', 'I') AND c.reloptions IS NOT NULL"),
    constraintOptions,
  ],
  viewDefaults: [
    "SELECT FROM pg_attrdef d JOIN pg_class c ON c.oid = d.adrelid WHERE d.adrelid >= 16384 AND c.relkind = 'v'",
    viewDefaults,
  ],
  columnComments: [
    "SELECT FROM pg_description WHERE classoid = 'pg_class'::regclass AND objoid >= 16384 AND objsubid > 0",
    columnComments,
  ],
  foreignOptions: [someColumn, foreignOptions],
  unloggedSequences: [someRelation("c.relkind = 'S' AND c.relpersistence = 'u'"), unloggedSequences],
  viewGrants: [
    "SELECT FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid WHERE a.attrelid >= 16384 AND a.attacl IS NOT NULL AND c.relkind IN ('v', 'm')",
    viewGrants,
  ],
  unpopulated: [someRelation("c.relkind = 'm' AND NOT c.relispopulated"), unpopulated],
  publishedGenerated: [`SELECT FROM pg_publication p WHERE ${publishesGenerated}`, publishedGenerated],
};

/** What tells whether there may be properties of each kind, by its name. */
export const propertyConditions = Object.fromEntries(
  Object.entries(all).map(([kind, [condition]]) => [kind, condition]),
);

/** One query for the kinds that are there; undefined where there are none. */
export function propertiesQuery(present: ReadonlySet<string>): string | undefined {
  const queries = Object.entries(all).flatMap(([kind, [, query]]) => (present.has(kind) ? [query] : []));
  if (queries.length === 0) return undefined;
  return `SELECT * FROM (${queries.join("\nUNION ALL\n")}) AS property (key, parent, "create", "drop", depends)`;
}
