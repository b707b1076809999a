/**
 * What pgstack takes for granted of the inside of pg-delta's reader, version 1.0.0-alpha.34, so that it asks less and asks it
 * at once. An upgrade of pg-delta deletes this file, or what is left of it: from alpha.35 on the reader batches its own
 * queries. Each assumption is checked, and a reader that asks otherwise is an error, not a slow or wrong answer.
 */
import { extract } from "@supabase/pg-delta/extract";
import type pg from "pg";

/** The rows of an answer, which is all that the reader looks at. */
export type Answer = Pick<pg.QueryResult, "rows">;
export type Ask = (text: string) => Promise<Answer>;

/** An answer without rows. */
export const nothing: Answer = { rows: [] };

/** Throws Error: pg-delta's reader is another one than the one that this file was written for. */
function otherReader(what: string): never {
  throw new Error(
    `pg-delta's reader is not the one that runner/revision/catalog/reader-patches.ts was written for: ${what}`,
  );
}

/** The reader takes a pool and uses one connection of it, by `query` and `release` alone: here it gets one that is open. */
export function poolOf(ask: Ask): Parameters<typeof extract>[0] {
  const used: Record<string | symbol, unknown> = { query: ask, release: () => {} };
  const connection = new Proxy(used, {
    get: (target, name) => {
      if (name in target || name === "then") return target[name]; // `await` asks for `then`
      return otherReader(`it uses ${String(name)} of a connection`);
    },
  });
  return { connect: async () => connection } as unknown as Parameters<typeof extract>[0];
}

/** Tells the reader's own list of the kinds that it does not know: `extras` know them. */
export function isForUnknownKinds(text: string): boolean {
  return /^SELECT 'cast'::text AS kind/.test(text);
}

/** Tells the reader's one query for dependencies. */
export function isForDependencies(text: string): boolean {
  return /^\s*WITH dep AS/.test(text);
}

/**
 * The reader resolves the dependencies of all built-in objects too and then throws them away. Objects made after
 * initdb have numbers from 16384 on (FirstNormalObjectId in access/transam.h): to look at them alone takes a fifth
 * of the time.
 */
const narrowings: readonly (readonly [from: string, to: string])[] = [
  ["WHERE d.deptype IN", "WHERE d.objid >= 16384 AND d.deptype IN"],
  ["WHERE rc.relkind IN ('r','p','f','v'", "WHERE rc.oid >= 16384 AND rc.relkind IN ('r','p','f','v'"],
  ["WHERE att.attnum > 0", "WHERE att.attrelid >= 16384 AND att.attnum > 0"],
  ["WHERE pp.prokind IN", "WHERE pp.oid >= 16384 AND pp.prokind IN"],
  ["WHERE base.typtype IN", "WHERE tt.oid >= 16384 AND base.typtype IN"],
  ["WHERE cc.relkind = 'c'", "WHERE cc.oid >= 16384 AND cc.relkind = 'c'"],
  ["ON cln.oid = cl.collnamespace", "ON cln.oid = cl.collnamespace AND cl.oid >= 16384"],
  ["ON vn.oid = vc.relnamespace", "ON vn.oid = vc.relnamespace AND r.oid >= 16384"],
];

/** How a part of the query for dependencies begins. */
const part = /^(\s*(?:WITH )?\w+ AS) \(/gm;

/**
 * The query for dependencies, narrowed to objects of users. Each part of it is planned by itself: to plan a join of all of
 * them takes longer than to run it. Throws Error where the query is not as it was.
 */
export function narrowedDependencies(text: string): string {
  const narrowed = narrowings.reduce((query, [from, to]) => {
    if (query.split(from).length !== 2)
      otherReader(`its query for dependencies has not exactly one "${from}"`);
    return query.replace(from, () => to);
  }, text);
  if (text.match(part) === null) otherReader("its query for dependencies has no parts");
  return narrowed.replace(part, "$1 MATERIALIZED (");
}

/** The catalog that one of the reader's queries lists: the last that follows a FROM of its outermost level. */
export function listedCatalog(query: string): string | undefined {
  return [...query.matchAll(/\n {4}FROM (pg_\w+) /g)].at(-1)?.[1];
}

/** The catalogs that the reader lists, in its order. */
const listed =
  "pg_roles pg_auth_members pg_default_acl pg_namespace pg_extension pg_class pg_attribute pg_constraint pg_index pg_sequence " +
  "pg_class pg_proc pg_trigger pg_policy pg_type pg_constraint pg_type pg_type pg_range pg_collation pg_event_trigger pg_rewrite " +
  "pg_proc pg_foreign_data_wrapper pg_foreign_server pg_user_mappings pg_foreign_table pg_publication pg_subscription pg_inherits";

/** Throws Error where the reader asks otherwise than this file takes for granted. */
export function checkReader(texts: readonly string[]): void {
  const found = texts.flatMap((text) => listedCatalog(text) ?? []).join(" ");
  if (found !== listed) otherReader(`it lists the catalogs ${found}, expected ${listed}`);
  const [dependencies, ...others] = texts.filter(isForDependencies);
  if (dependencies === undefined || others.length > 0)
    otherReader("it has not exactly one query for dependencies");
  narrowedDependencies(dependencies);
  if (texts.filter(isForUnknownKinds).length !== 1)
    otherReader("it has not exactly one query for kinds that it does not know");
}

const asked = new Map<number, Promise<string[]>>();

async function recorded(version: number): Promise<string[]> {
  const texts: string[] = [];
  const rows = [{ version: "", num: version, ok: false, present: false }];
  await extract(
    poolOf(async (text) => {
      texts.push(text);
      return /\sFROM\s/.test(text) ? nothing : { rows };
    }),
  );
  checkReader(texts);
  return texts.filter((text) => /^\s*SELECT/.test(text) && !isForUnknownKinds(text));
}

/**
 * What the reader asks of a database of this version (`server_version_num`), but its query for dependencies; of one that
 * holds nothing, so that no query depends on an answer.
 */
export function queriesFor(version: number): Promise<string[]> {
  const known = asked.get(version) ?? recorded(version);
  asked.set(version, known);
  return known;
}
