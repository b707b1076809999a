import type pg from "pg";
import { openClient } from "../postgres/connection.ts";
import { rowsOf } from "../postgres/rows.ts";
import { setRolePrivilege } from "../postgres/server-version.ts";
import { identifier } from "../postgres/sql.ts";
import { close } from "./connections.ts";
import { listOwners } from "./copy/ownership.ts";
import { writeBlockName } from "./freeze/write-block.ts";
import { isMovedSchema } from "./moved-objects.ts";
import { trySubscription } from "./replication/slots.ts";
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
/** Whether the session's user has a role's privileges without further ado; since PostgreSQL 16 a member may lack them. */
const actsFor = (oid: string) => `pg_has_role(current_user, ${oid}, 'USAGE')`;
/** Whether the session's user may make a role the owner of something. */
const mayGiveTo = (oid: string) => `pg_has_role(current_user, ${oid}, ${setRolePrivilege})`;

/** Owners for whom the session's user may not act. */
const foreignOwners = `
  SELECT DISTINCT format('GRANT %I TO %s', pg_get_userbyid(c.relowner), ${me}) AS text FROM ${relations}
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S') AND c.relpersistence <> 't' AND ${isMovedSchema("n.nspname")} AND NOT ${actsFor("c.relowner")}
  UNION SELECT format('GRANT %I TO %s', pg_get_userbyid(datdba), ${me}) FROM pg_database
  WHERE datname = current_database() AND NOT ${actsFor("datdba")}`;

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
    probe: () => `SELECT DISTINCT format('GRANT %I TO %s', pg_get_userbyid(lomowner), ${me}) AS text
      FROM pg_largeobject_metadata WHERE NOT ${actsFor("lomowner")}`,
    way: "the administrator of the source may not act for the owners of large objects",
  },
  {
    side: "source",
    needed: "freeze",
    probe: () => `REVOKE EXECUTE ON FUNCTION pg_catalog.lo_create(oid) FROM PUBLIC;
      SELECT 'switch as a superuser, or keep their contents in columns of type bytea' AS text
      FROM pg_proc p, aclexplode(coalesce(proacl, acldefault('f', proowner))) a
      WHERE p.oid = 'pg_catalog.lo_create(oid)'::regprocedure AND a.grantee = 0 AND EXISTS (SELECT FROM pg_largeobject_metadata)`,
    way: "the source holds large objects, and its administrator may not take the right to write them from PUBLIC",
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
      "the administrator of the source may not make event triggers: a freeze takes CREATE from everybody and locks the tables instead, and " +
      "definitions that are changed all the same roll the switch back",
  },
  {
    side: "source",
    needed: "nothing",
    probe: () => `SET LOCAL pgstack.fires = 'on';
      DO $$ BEGIN SET LOCAL session_replication_role = replica; SET LOCAL pgstack.fires = 'off'; EXCEPTION WHEN insufficient_privilege THEN NULL; END $$;
      SELECT quote_ident(evtname) AS text FROM pg_event_trigger
      WHERE evtenabled IN ('O', 'A') AND evtname <> '${writeBlockName}' AND current_setting('pgstack.fires') = 'on'`,
    way: "event triggers of the source fire when it is frozen, since its administrator may not set session_replication_role",
  },
  {
    side: "target",
    needed: "nothing",
    method: "replicate",
    probe: () =>
      `SELECT 'log_statement = all' AS text WHERE NOT ${superuser} AND current_setting('log_statement') = 'all'`,
    way: "the target's log will show the password of the source when replication begins, since its administrator may not change",
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

/** The statements that let the session's user act for those of the roles for which a condition on their oid does not hold. */
async function findMissingMemberships(
  client: pg.Client,
  roles: readonly string[],
  holds: (oid: string) => string,
): Promise<{ role: string; text: string }[]> {
  return rowsOf<{ role: string; text: string }>(
    client,
    `SELECT quote_ident(rolname) AS role, format('GRANT %I TO %s', rolname, ${me}) AS text
     FROM pg_roles WHERE rolname = ANY ($1) AND NOT (${holds("oid")}) ORDER BY 1`,
    [roles],
  );
}

/** Roles of the target that own what is replaced, or are to own something, and for which its administrator may not act. */
async function findForeignOwners(target: pg.Client, owners: readonly string[]): Promise<string[]> {
  const present = (await listOwners(target)).map(({ owner }) => owner);
  const replaced = await findMissingMemberships(target, present, actsFor);
  const given = await findMissingMemberships(target, owners, mayGiveTo);
  return [
    ...replaced.map(
      ({ text }) => `the administrator of the target may not act for the owners of what is replaced: ${text}`,
    ),
    ...given.map(
      ({ role, text }) => `the administrator of the target may not give objects to role ${role}: ${text}`,
    ),
  ];
}

/** A slot is made by a session of another kind, which only such a role may open: https://www.postgresql.org/docs/current/role-attributes.html */
async function findMissingReplication({ method, source }: CutoverSettings): Promise<string[]> {
  if (method !== "replicate") return [];
  try {
    const walsender = await openClient(source, { replication: "database" });
    await close(walsender);
    return [];
  } catch (error) {
    return [
      `the administrator of the source may not make replication slots: ALTER ROLE ${identifier(source.user)} REPLICATION (on Amazon RDS: ` +
        `GRANT rds_replication), or method: copy (${(error as Error).message})`,
    ];
  }
}

/** The target's server itself connects to the source, with this stack's settings: certificate authorities are files of that server. */
async function findMissingSubscription(
  target: pg.Client,
  { method, source, target: { user } }: CutoverSettings,
): Promise<string[]> {
  const reason = method === "replicate" ? await trySubscription(target, source) : undefined;
  if (reason === undefined) return [];
  return [
    `the target cannot subscribe to the source: ${reason}. Its administrator needs GRANT pg_create_subscription TO ${identifier(user)} ` +
      "(PostgreSQL 16 or newer) and CREATE on the database, and its server a way to the source; or use method: copy",
  ];
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
  missing.copy.push(...(await findForeignOwners(target, owners)));
  missing.copy.push(...(await findMissingReplication(settings)));
  missing.copy.push(...(await findMissingSubscription(target, settings)));
  return missing;
}
