import type pg from "pg";
import { rowsOf } from "../../postgres/rows.ts";
import { identifier, isMadeByItself, isNotOfExtension } from "../../postgres/sql.ts";
import { fits } from "../../util/glob.ts";

/** An object that a database holds and no revision carries. */
export interface UnreadObject {
  /** As a person says it, such as "type public.point3". */
  readonly name: string;
  /** What `--ignore` compares its patterns with. */
  readonly path: string;
  /** A digest of what it consists of, if that is known (passwords may be among it); null where nothing can be said. */
  readonly digest: string | null;
}

/** All catalogs of PostgreSQL 15 to 18 with a number for each of their rows: what they hold is read, or listed below. */
const knownCatalogs =
  "pg_am pg_attrdef pg_cast pg_class pg_collation pg_constraint pg_conversion pg_default_acl pg_enum pg_event_trigger " +
  "pg_extension pg_foreign_data_wrapper pg_foreign_server pg_language pg_largeobject_metadata pg_namespace pg_opclass " +
  "pg_operator pg_opfamily pg_amop pg_amproc pg_policy pg_proc pg_publication pg_publication_namespace " +
  "pg_publication_rel pg_rewrite pg_statistic_ext pg_transform pg_trigger pg_ts_config pg_ts_dict pg_ts_parser " +
  "pg_ts_template pg_type pg_user_mapping";

/** The newest version whose catalogs are known. */
const newestKnown = 18;

const newCatalogsQuery = `
  SELECT c.relname AS name FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'oid'
  WHERE c.relnamespace = 'pg_catalog'::regnamespace AND c.relkind = 'r' AND NOT c.relisshared
    AND c.relname <> ALL (string_to_array('${knownCatalogs}', ' '))`;

/** The rows of a catalog that are objects of their own, with PostgreSQL's words for them. */
const objectsOf = (catalog: string, where: string) => `
  SELECT i.type || ' ' || i.identity AS name, coalesce(i.schema || '.', '') || coalesce(i.name, i.identity) AS path,
         NULL::text AS digest
  FROM ${catalog} o CROSS JOIN LATERAL pg_identify_object('${catalog}'::regclass, o.oid, 0) i
  WHERE o.oid >= 16384 AND ${where} AND ${isMadeByItself(catalog, "o.oid")}`;

const unreadKinds = [
  objectsOf("pg_type", "o.typtype NOT IN ('c', 'd', 'e', 'r', 'm') AND o.typcategory <> 'A'"),
  objectsOf("pg_class", "o.relkind NOT IN ('r', 'p', 'v', 'm', 'f', 'S', 'i', 'I', 'c', 't')"),
  objectsOf("pg_proc", "o.prokind NOT IN ('f', 'p', 'a', 'w')"),
  objectsOf("pg_constraint", "o.contype NOT IN ('c', 'f', 'n', 'p', 'u', 'x', 't')"),
  // from PostgreSQL 16 on
  `SELECT format('rules of collation %I.%I', n.nspname, c.collname), format('%s.%s', n.nspname, c.collname),
          md5(to_jsonb(c) ->> 'collicurules')
   FROM pg_collation c JOIN pg_namespace n ON n.oid = c.collnamespace
   WHERE c.oid >= 16384 AND to_jsonb(c) ->> 'collicurules' IS NOT NULL AND ${isNotOfExtension("pg_collation", "c.oid")}`,
  `SELECT format('user mapping for %s on server %s', usename, srvname), format('%s.%s', srvname, usename),
          md5(coalesce(umoptions::text, ''))
   FROM pg_user_mappings m WHERE ${isNotOfExtension("pg_user_mapping", "m.umid")}`,
  `SELECT format('subscription %s', subname), subname, md5(subpublications::text)
   FROM pg_subscription WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())`,
];

/** Reads what a database holds that no revision carries, whatever kinds its version has. */
export async function readUnread(client: pg.Client, major: number): Promise<UnreadObject[]> {
  const catalogs = major > newestKnown ? await rowsOf<{ name: string }>(client, newCatalogsQuery) : [];
  const queries = [...unreadKinds, ...catalogs.map(({ name }) => objectsOf(identifier(name), "true"))];
  return rowsOf<UnreadObject>(client, queries.join(" UNION ALL "));
}

/** A line for each of them that the start and the models do not share for certain. Pure. */
export function unreadDifferences(
  start: readonly UnreadObject[],
  models: readonly UnreadObject[],
  ignore: readonly string[],
): string[] {
  const never = "no migration is written for it";
  const counted = (objects: readonly UnreadObject[]) =>
    objects.filter(({ path }) => !ignore.some((pattern) => fits(pattern, path)));
  const wanted = new Map(counted(models).map((object) => [object.name, object]));
  const present = counted(start).flatMap(({ name, digest }) => {
    const other = wanted.get(name);
    wanted.delete(name);
    if (other === undefined) return [`unexpected ${name}: ${never}`];
    if (digest === null) return [`${name} cannot be compared: ${never}`];
    return other.digest === digest ? [] : [`${name} differs: ${never}`];
  });
  return [...present, ...[...wanted.keys()].map((name) => `${name} is missing: ${never}`)];
}
