import type pg from "pg";
import type { VerifiedRole } from "../../config/role-declaration.ts";
import { catalogSettings } from "../../postgres/catalog-lock.ts";
import { oneRow } from "../../postgres/rows.ts";
import { identifier, isNotOfExtension, isUserSchema, ownSchema } from "../../postgres/sql.ts";
import { joinRoles } from "../catalog/membership.ts";
import { type CatalogObject, readObjects, schemasAmong } from "../catalog/objects.ts";
import { type FilteredTable, readFilteredTables } from "../catalog/row-security.ts";
import { ruleOf } from "../plan/desired.ts";
import { readExtensionCalls } from "./extension-calls.ts";
import { type Probe, probesFor } from "./probes.ts";

/** What probes found: how many there were, and what went otherwise than declared. */
export interface Verification {
  readonly probes: number;
  readonly faults: readonly string[];
  /** Probes that another session's lock, or a cutover's freeze, kept from an answer. */
  readonly undecided: readonly string[];
  /** Tables of which the role sees only what row security lets it see. */
  readonly filtered: readonly FilteredTable[];
}

const insufficientPrivilege = "42501";
/** A lock of another session's; a database that is frozen for a cutover, which refuses before it looks at rights. */
const noAnswer = ["55P03", "25006"];

async function codeOf(
  client: pg.Client,
  sql: string,
): Promise<{ code: string; message: string } | undefined> {
  await client.query("SAVEPOINT probe");
  try {
    await client.query(sql);
    return undefined;
  } catch (error) {
    const { code = "", message } = error as pg.DatabaseError;
    return { code, message };
  } finally {
    await client.query("ROLLBACK TO SAVEPOINT probe");
  }
}

async function tryOne(
  client: pg.Client,
  probe: Probe,
): Promise<Partial<Record<"fault" | "undecided", string>>> {
  const failure = await codeOf(client, probe.sql);
  if (failure !== undefined && noAnswer.includes(failure.code)) return { undecided: probe.what };
  if (probe.aboutRights && failure?.code !== insufficientPrivilege) return {};
  if (probe.allowed)
    return failure === undefined ? {} : { fault: `cannot ${probe.what}: ${failure.message}` };
  if (failure?.code === insufficientPrivilege) return {};
  return {
    fault: `can ${probe.what}${failure === undefined ? "" : ` (it got as far as: ${failure.message})`}`,
  };
}

/** What no single statement shows: attributes of the role, its default of read-only, functions that run with others' privileges. */
async function attributeFaults(client: pg.Client, { access, memberOf }: VerifiedRole): Promise<string[]> {
  const { attributes, connects, readonly, lending } = await oneRow<{
    attributes: string[];
    connects: boolean;
    readonly: boolean;
    lending: string[];
  }>(
    client,
    `SELECT array_remove(ARRAY[CASE WHEN rolsuper THEN 'SUPERUSER' END, CASE WHEN rolcreatedb THEN 'CREATEDB' END,
        CASE WHEN rolcreaterole THEN 'CREATEROLE' END, CASE WHEN rolreplication THEN 'REPLICATION' END,
        CASE WHEN rolbypassrls THEN 'BYPASSRLS' END], NULL) AS attributes,
       has_database_privilege(current_database(), 'CONNECT') AS connects,
       current_setting('default_transaction_read_only') = 'on'
         OR coalesce('default_transaction_read_only=on' = ANY(rolconfig), false) AS readonly,
       ARRAY(SELECT p.oid::regprocedure::text FROM pg_proc p WHERE p.prosecdef AND p.proowner <> r.oid
         AND p.pronamespace IN (SELECT oid FROM pg_namespace n WHERE ${isUserSchema("nspname")} OR nspname = '${ownSchema}')
         AND ${isNotOfExtension("pg_proc", "p.oid")}
         AND has_schema_privilege(p.pronamespace, 'USAGE') AND has_function_privilege(p.oid, 'EXECUTE')) AS lending
     FROM pg_roles r WHERE rolname = current_user`,
  );
  const own = access === "readonly" && memberOf.length === 0;
  return [
    ...attributes.map((attribute) => `has the attribute ${attribute}`),
    ...(connects ? [] : ["cannot connect to this database"]),
    ...(access === "readonly" && !readonly ? ["starts its transactions in read-write mode"] : []),
    ...(own ? lending.map((name) => `can run ${name} with its owner's rights`) : []),
  ];
}

/** The same checks of rights apply to SET ROLE as to a session of the role's own; only the log in is not tried. */
async function actAs(client: pg.Client, role: string): Promise<void> {
  await joinRoles(client, [role]);
  await client.query(`SET LOCAL ROLE ${identifier(role)}`);
}

/** What probes have to know of the database; the same for every role. */
export function readProbed(client: pg.Client): Promise<readonly CatalogObject[]> {
  return readObjects(client, { allColumns: true, acls: false });
}

/**
 * Tries, as the role, what it must be able to do and must not; all in one transaction that writes nothing
 * and is rolled back.
 * @param read finds what is in the database
 */
export async function runProbes(
  client: pg.Client,
  declaration: VerifiedRole,
  read: typeof readProbed = readProbed,
): Promise<Verification> {
  await client.query("BEGIN READ WRITE");
  await client.query(
    `${catalogSettings}; SET LOCAL statement_timeout = '60s'; SET LOCAL lock_timeout = '2s'`,
  );
  if (declaration.byAdmin) await actAs(client, declaration.role);
  const faults = await attributeFaults(client, declaration);
  const objects = await read(client);
  const probes = [
    ...probesFor(declaration, objects, ruleOf(declaration, schemasAmong(objects), [])),
    ...(await readExtensionCalls(client)),
  ];
  const undecided: string[] = [];
  for (const probe of probes) {
    const result = await tryOne(client, probe);
    if (result.fault !== undefined) faults.push(result.fault);
    if (result.undecided !== undefined) undecided.push(result.undecided);
  }
  const filtered = await readFilteredTables(client, [declaration.role]);
  await client.query("ROLLBACK");
  return { probes: probes.length, faults, undecided, filtered };
}
