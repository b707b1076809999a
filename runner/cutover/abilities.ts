import type pg from "pg";
import { maybeRow, rowsOf } from "../postgres/rows.ts";
import { isMovedSchema } from "./moved-objects.ts";
import type { CutoverSettings } from "./settings.ts";

/** Something that a cutover has to be able to do on one side. An ordinary administrator may lack it. */
interface Ability {
  readonly side: "source" | "target";
  /** What cannot be done without it: a copy, and so the rehearsal too; only the freeze of a switch; or nothing, since there is another way. */
  readonly needed: "copy" | "freeze" | "nothing";
  /** Only where this method is used. */
  readonly method?: CutoverSettings["method"];
  /** Gives no row where the ability is there, else a row `text` for each thing that lacks it; or fails. */
  readonly probe: (settings: CutoverSettings) => string;
  /** What is missing, and how to get past it. */
  readonly way: string;
}

const superuser = "current_setting('is_superuser') = 'on'";
const me = "quote_ident(current_user)";
const relations = "pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace";
const isMember = (oid: string) => `pg_has_role(current_user, ${oid}, 'MEMBER')`;

/** Owners for whom the session's user may not act. */
const foreignOwners = `
  SELECT DISTINCT format('GRANT %I TO %s', pg_get_userbyid(c.relowner), ${me}) AS text FROM ${relations}
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S') AND c.relpersistence <> 't' AND ${isMovedSchema("n.nspname")} AND NOT ${isMember("c.relowner")}
  UNION SELECT format('GRANT %I TO %s', pg_get_userbyid(datdba), ${me}) FROM pg_database
  WHERE datname = current_database() AND NOT ${isMember("datdba")}`;

const memberOf = (role: string) =>
  `SELECT 'GRANT ${role} TO ' || ${me} AS text WHERE NOT ${superuser} AND NOT pg_has_role(current_user, '${role}', 'USAGE')`;

const abilities: readonly Ability[] = [
  {
    side: "source",
    needed: "copy",
    probe: () => foreignOwners,
    way: "the administrator of the source may not act for the owners of what moves",
  },
  {
    side: "source",
    needed: "copy",
    probe:
      () => `SELECT format('GRANT SELECT ON %I.%I TO %s', n.nspname, c.relname, ${me}) AS text FROM ${relations}
      WHERE c.relkind = 'r' AND ${isMovedSchema("n.nspname")} AND NOT has_table_privilege(c.oid, 'SELECT')`,
    way: "the administrator of the source may not read every table",
  },
  {
    side: "source",
    needed: "copy",
    probe: () =>
      `SELECT 'copy as a superuser' AS text WHERE NOT ${superuser} AND EXISTS (SELECT FROM pg_largeobject_metadata)`,
    way: "the source holds large objects, which only a superuser reads whole",
  },
  {
    side: "source",
    needed: "copy",
    method: "replicate",
    probe:
      () => `SELECT 'ALTER ROLE ' || ${me} || ' REPLICATION (on Amazon RDS: GRANT rds_replication), or method: copy' AS text
      FROM pg_roles WHERE rolname = current_user AND NOT rolsuper AND NOT rolreplication`,
    way: "the administrator of the source may not make replication slots",
  },
  {
    side: "source",
    needed: "freeze",
    probe: () => memberOf("pg_read_all_stats"),
    way: "the administrator of the source does not see other roles' sessions, which a freeze has to end",
  },
  {
    side: "source",
    needed: "freeze",
    probe: () => memberOf("pg_signal_backend"),
    way: "the administrator of the source may not end other roles' sessions",
  },
  {
    side: "source",
    needed: "nothing",
    probe: () => `CREATE SCHEMA pgstack_ability;
      CREATE FUNCTION pgstack_ability.nothing() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
      CREATE EVENT TRIGGER pgstack_ability ON ddl_command_start EXECUTE FUNCTION pgstack_ability.nothing();
      SELECT NULL::text AS text WHERE false`,
    way:
      "the administrator of the source may not make event triggers, so that a freeze cannot refuse DDL: definitions that are " +
      "changed under it roll the switch back",
  },
  {
    side: "target",
    needed: "copy",
    probe: () => foreignOwners,
    way: "the administrator of the target may not act for the owners of what is replaced",
  },
  {
    side: "target",
    needed: "copy",
    method: "replicate",
    probe:
      () => `SELECT 'GRANT pg_create_subscription TO ' || ${me} || ' (PostgreSQL 16 or newer), or method: copy' AS text
      WHERE NOT ${superuser} AND NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'pg_create_subscription' AND ${isMember("oid")})`,
    way: "the administrator of the target may not make a subscription",
  },
];

/** Tries one in a transaction that is rolled back; gives what is missing, in words. */
async function tryAbility(
  client: pg.Client,
  { probe, way }: Ability,
  settings: CutoverSettings,
): Promise<string[]> {
  await client.query("BEGIN; SET LOCAL lock_timeout = '5s'");
  try {
    const statements = probe(settings).split(";\n");
    const last = statements.pop() ?? "";
    for (const statement of statements) await client.query(statement);
    const missing = await rowsOf<{ text: string }>(client, last);
    return missing.length === 0 ? [] : [`${way}: ${missing.map(({ text }) => text).join("; ")}`];
  } catch (error) {
    return [`${way} (${(error as Error).message})`];
  } finally {
    await client.query("ROLLBACK");
  }
}

/** Extensions of the source that only a superuser can make on the target, and that are not there yet. */
async function findUntrusted(source: pg.Client, target: pg.Client): Promise<string[]> {
  const installed = await rowsOf<{ name: string }>(source, "SELECT extname AS name FROM pg_extension");
  const offered = await rowsOf<{ name: string }>(
    target,
    `SELECT DISTINCT name FROM pg_available_extension_versions v
     WHERE NOT ${superuser} AND v.superuser AND NOT v.trusted AND NOT EXISTS (SELECT FROM pg_extension WHERE extname = v.name)`,
  );
  const untrusted = new Set(offered.map(({ name }) => name));
  return installed
    .filter(({ name }) => untrusted.has(name))
    .map(
      ({ name }) =>
        `only a superuser may make extension ${name} on the target: CREATE EXTENSION ${name} there first`,
    );
}

/** Roles of the target that are to own something, and for which its administrator may not act. */
async function findUngivable(target: pg.Client, owners: readonly string[]): Promise<string[]> {
  const held = await rowsOf<{ name: string }>(
    target,
    `SELECT rolname AS name FROM pg_roles WHERE rolname = ANY ($1) AND NOT ${isMember("oid")}`,
    [owners],
  );
  const user = await maybeRow<{ name: string }>(target, `SELECT ${me} AS name`);
  return held.map(
    ({ name }) =>
      `the administrator of the target may not give objects to role ${name}: GRANT ${name} TO ${user?.name}`,
  );
}

/** What is missing, by what cannot be done without it. */
export type MissingAbilities = Readonly<Record<Ability["needed"], readonly string[]>>;

/**
 * Tries what a cutover has to do on both sides, each in a transaction that is rolled back.
 * @param owners roles that own something of the source
 */
export async function findMissingAbilities(
  source: pg.Client,
  target: pg.Client,
  settings: CutoverSettings,
  owners: readonly string[],
): Promise<MissingAbilities> {
  const missing: Record<Ability["needed"], string[]> = { copy: [], freeze: [], nothing: [] };
  for (const ability of abilities) {
    if (ability.method !== undefined && ability.method !== settings.method) continue;
    const client = ability.side === "source" ? source : target;
    missing[ability.needed].push(...(await tryAbility(client, ability, settings)));
  }
  missing.copy.push(...(await findUntrusted(source, target)));
  missing.copy.push(...(await findUngivable(target, owners)));
  return missing;
}
