import type pg from "pg";
import { tokenMark } from "../../migrations/history/history.ts";
import { readServerVersion } from "../../postgres/server-version.ts";
import { isNotOfExtension } from "../../postgres/sql.ts";
import { listContents } from "../copy/clear-target.ts";
import { existingRoles, listGrants, listOwners } from "../copy/ownership.ts";
import { writeBlockName } from "../freeze/write-block.ts";
import { isMovedSchema, isNotOurs, ownPrefix } from "../moved-objects.ts";
import type { RoleMapping } from "../settings.ts";
import { stateSchema } from "../state/state.ts";
import { isSameDefinition } from "./definition-text.ts";

/** A relation of a person's own: no catalog, nothing of an extension, none of our own state. */
const own = (catalog: string, oid: string, namespace: string) => `
  ${namespace} IN (SELECT oid FROM pg_namespace WHERE ${isMovedSchema("nspname")})
  AND ${isNotOfExtension(catalog, oid)}`;
const ownClass = own("pg_class", "c.oid", "c.relnamespace");

/** USING INDEX falls back to the default once its index is gone or invalid: the server keeps the letter, a dump does not. */
const replicaIdentity = `CASE WHEN c.relreplident = 'i' AND NOT EXISTS (
  SELECT FROM pg_index r WHERE r.indrelid = c.oid AND r.indisreplident AND r.indisvalid) THEN 'd' ELSE c.relreplident END`;

/** Each part answers with an object's name and its definition, as the server prints it. */
const parts = [
  `SELECT 'relation ' || c.oid::regclass, concat_ws(' ', c.relkind, c.relpersistence, c.relrowsecurity, c.relforcerowsecurity,
     c.reloptions, ${replicaIdentity}, pg_get_expr(c.relpartbound, c.oid), CASE c.relkind WHEN 'p' THEN pg_get_partkeydef(c.oid) END,
     CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END,
     (SELECT string_agg(i.inhparent::regclass::text, ',' ORDER BY i.inhseqno) FROM pg_inherits i WHERE i.inhrelid = c.oid))
   FROM pg_class c WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c') AND ${ownClass}`,
  `SELECT 'column ' || c.oid::regclass || '.' || quote_ident(a.attname), concat_ws(' ',
     row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum), format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity,
     a.attgenerated, a.attcollation::regcollation, a.attstorage, a.attcompression, pg_get_expr(d.adbin, d.adrelid))
   FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
   LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
   WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c') AND ${ownClass}`,
  `SELECT 'index ' || c.oid::regclass, concat_ws(' ', pg_get_indexdef(c.oid), i.indisclustered, i.indisreplident)
   FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indisvalid AND ${ownClass}`,
  `SELECT 'constraint ' || quote_ident(conname) || ' on ' || CASE WHEN k.contypid <> 0 THEN k.contypid::regtype::text ELSE k.conrelid::regclass::text END,
     concat_ws(' ', pg_get_constraintdef(k.oid), k.convalidated)
   FROM pg_constraint k WHERE k.contype <> 't' AND ($1 OR k.contype <> 'n') AND ${own("pg_constraint", "k.oid", "k.connamespace")}`,
  `SELECT 'trigger ' || quote_ident(t.tgname) || ' on ' || c.oid::regclass, concat_ws(' ', pg_get_triggerdef(t.oid), t.tgenabled)
   FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
   WHERE NOT t.tgisinternal AND t.tgname <> '${writeBlockName}' AND ${ownClass}`,
  `SELECT 'rule ' || quote_ident(r.rulename) || ' on ' || c.oid::regclass, concat_ws(' ', pg_get_ruledef(r.oid), r.ev_enabled)
   FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class WHERE r.rulename <> '_RETURN' AND ${ownClass}`,
  `SELECT 'function ' || f.oid::regprocedure, CASE WHEN f.prokind = 'a' THEN pg_get_function_result(f.oid) ELSE pg_get_functiondef(f.oid) END
   FROM pg_proc f WHERE ${own("pg_proc", "f.oid", "f.pronamespace")}`,
  `SELECT 'type ' || t.oid::regtype, concat_ws(' ', t.typtype, format_type(nullif(t.typbasetype, 0), t.typtypmod), t.typnotnull, t.typdefault,
     (SELECT string_agg(quote_literal(enumlabel), ',' ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid))
   FROM pg_type t WHERE t.typtype IN ('e', 'd', 'r', 'm') AND ${own("pg_type", "t.oid", "t.typnamespace")}`,
  `SELECT 'sequence ' || c.oid::regclass, concat_ws(' ', format_type(s.seqtypid, NULL), s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache, s.seqcycle)
   FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid WHERE ${ownClass}`,
  `SELECT 'policy ' || quote_ident(p.polname) || ' on ' || c.oid::regclass, concat_ws(' ', p.polcmd, p.polpermissive,
     (SELECT string_agg(CASE r WHEN 0 THEN 'public' ELSE pg_get_userbyid(r) END, ',') FROM unnest(p.polroles) r),
     pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
   FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid WHERE ${ownClass}`,
  "SELECT 'extension ' || quote_ident(extname), extnamespace::regnamespace::text FROM pg_extension",
  `SELECT 'event trigger ' || quote_ident(evtname), concat_ws(' ', evtevent, evtfoid::regproc, evtenabled, evttags)
   FROM pg_event_trigger e WHERE evtname <> '${writeBlockName}'
     AND ${isNotOfExtension("pg_event_trigger", "e.oid")}`,
  `SELECT 'publication ' || quote_ident(p.pubname), concat_ws(' ', puballtables, pubinsert, pubupdate, pubdelete, pubtruncate, pubviaroot,
     (SELECT string_agg(r.prrelid::regclass::text, ',' ORDER BY r.prrelid::regclass::text) FROM pg_publication_rel r WHERE r.prpubid = p.oid))
   FROM pg_publication p WHERE ${isNotOurs("p.pubname")}`,
  `SELECT 'comment on ' || i.type || ' ' || i.identity, o.description
   FROM pg_description o CROSS JOIN LATERAL pg_identify_object(o.classoid, o.objoid, o.objsubid) i
   WHERE o.objoid >= 16384 AND coalesce(i.schema, '') <> '${stateSchema}' AND i.type NOT IN ('extension', 'event trigger') AND NOT (i.type = 'publication' AND i.identity LIKE '${ownPrefix}%')
     AND o.description NOT LIKE '${tokenMark}%' -- each stack has its own
     AND ${isNotOfExtension("o.classoid", "o.objoid")}`,
];

type Definitions = Map<string, string>;

/** Since PostgreSQL 18 a NOT NULL has a name, and a row of its own: https://www.postgresql.org/docs/18/release-18.html */
const notNullNamesSince = 18;

/** @param notNullNames whether both servers keep them */
async function readDefinitions(client: pg.Client, notNullNames: boolean): Promise<Definitions> {
  const { rows } = await client.query<[string, string]>({
    text: parts.map((part) => `SELECT * FROM (${part}) p (object, definition)`).join(" UNION ALL "),
    values: [notNullNames],
    rowMode: "array",
  });
  const contents = (await listContents(client)).map((object) => [object, ""]);
  return new Map([...contents, ...rows] as [string, string][]);
}

/** @param same whether two texts are one definition */
function compare(
  there: Definitions,
  here: Definitions,
  same: (older: string, newer: string) => boolean,
): string[] {
  const missing = [...there.keys()].filter((object) => !here.has(object));
  const extra = [...here.keys()].filter((object) => !there.has(object));
  const changed = [...there].filter(([object, text]) => {
    const other = here.get(object);
    return other !== undefined && !same(text, other);
  });
  return [
    ...missing.map((object) => `${object}: missing on the target`),
    ...extra.map((object) => `${object}: only on the target`),
    ...changed.map(([object]) => `${object}: defined otherwise on the target`),
  ];
}

async function compareOwners(
  source: pg.Client,
  target: pg.Client,
  { owners }: RoleMapping,
): Promise<string[]> {
  const [there, owned] = await Promise.all([listOwners(source), listOwners(target)]);
  const roles = await existingRoles(target);
  const wanted = (owner: string) => (owner === owners.source || !roles.has(owner) ? owners.target : owner);
  const here = new Map(owned.map(({ type, identity, owner }) => [`${type} ${identity}`, owner]));
  return there.flatMap(({ type, identity, owner }) => {
    const found = here.get(`${type} ${identity}`);
    if (found === undefined || found === wanted(owner)) return [];
    return [`owner of ${type} ${identity}: ${wanted(owner)} expected, found ${found}`];
  });
}

/** Grants to PUBLIC and to roles that the target's stack declares are that stack's own matter. */
async function compareGrants(source: pg.Client, target: pg.Client, mapping: RoleMapping): Promise<string[]> {
  const { owners, declaredRoles } = mapping;
  const roles = await existingRoles(target);
  const list = async (client: pg.Client, owner: string) =>
    new Set(
      (await listGrants(client))
        .filter(({ type, grantee }) => type !== "schema" && grantee !== null && grantee !== owner)
        .filter(({ grantee }) => roles.has(grantee ?? "") && !declaredRoles.includes(grantee ?? ""))
        .map(
          ({ type, identity, column, grantee, privilege }) =>
            `${privilege} on ${type} ${identity}${column === null ? "" : `.${column}`} to ${grantee}`,
        ),
    );
  const [there, here] = await Promise.all([list(source, owners.source), list(target, owners.target)]);
  return [...there]
    .filter((grant) => !here.has(grant))
    .map((grant) => `grant of ${grant}: missing on the target`);
}

/**
 * Compares definitions, owners and grants of everything people made in both databases, as the servers print
 * them under an empty search path. Returns one line for each difference.
 */
export async function compareSchemas(
  source: pg.Client,
  target: pg.Client,
  mapping: RoleMapping,
): Promise<string[]> {
  const versions = await Promise.all([source, target].map(readServerVersion));
  const [from, to] = versions.map(({ major }) => major) as [number, number];
  const read = (client: pg.Client) => readDefinitions(client, from >= notNullNamesSince);
  const [there, here] = await Promise.all([read(source), read(target)]);
  return [
    ...compare(there, here, from === to ? (text, other) => text === other : isSameDefinition),
    ...(await compareOwners(source, target, mapping)),
    ...(await compareGrants(source, target, mapping)),
  ];
}
