// One random case: a database with rows, the models, the migration that revision writes, and what is wrong with it.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type pg from "pg";
import { defaultSettings } from "../../runner/config/migrations.ts";
import { readMigrations } from "../../runner/migrations/files/directory.ts";
import { applyMigrations } from "../../runner/migrations/run/apply.ts";
import { revertMigration } from "../../runner/migrations/run/revert.ts";
import { type ConnectionSettings, withClient } from "../../runner/postgres/connection.ts";
import { rowsOf } from "../../runner/postgres/rows.ts";
import { autogenerate, differences } from "../../runner/revision/autogenerate.ts";
import { readCatalog } from "../../runner/revision/catalog/read.ts";
import type { Scratch } from "../../runner/scratch/server.ts";
import type { ThrowawayCluster } from "../support/throwaway-cluster.ts";
import { differencesOf, dumpOf, lostRows, otherRights, rightsOf, rowsIn } from "./observe.ts";
import type { SchemaPair } from "./schema/change.ts";
import { type Schema, schemaStatements, unitsOf, without } from "./schema/parts.ts";

/** The servers on which cases run. */
export interface Ground {
  readonly cluster: ThrowawayCluster;
  readonly scratch: Scratch;
}

/** What a case was like, and what is wrong with it. */
export interface Outcome {
  /** The schemas without the parts that PostgreSQL refuses. */
  readonly schemas: SchemaPair;
  readonly live: string;
  readonly models: string;
  readonly migrations: string;
  readonly faults: readonly string[];
  /** True where rows were in the way and the migration's comments had said so. */
  readonly stopped: boolean;
}

/** The roles of random schemas, and a publication's slot. */
export const groundStatements = [
  "CREATE ROLE gen_r1",
  "CREATE ROLE gen_r2",
  "CREATE ROLE gen_owner SUPERUSER",
];

/** The server settings that random schemas need. */
export const groundSettings = { wal_level: "logical", max_replication_slots: 4 };

let count = 0;

async function freshDatabase({ cluster }: Ground): Promise<ConnectionSettings> {
  const settings = { ...cluster.admin, database: `random_${++count}` };
  await withClient(cluster.admin, (client) => client.query(`CREATE DATABASE ${settings.database}`));
  return settings;
}

async function dropDatabase({ cluster }: Ground, { database }: ConnectionSettings): Promise<void> {
  await withClient(cluster.admin, (client) => client.query(`DROP DATABASE ${database} WITH (FORCE)`));
}

interface Built {
  readonly schema: Schema;
  readonly sql: readonly string[];
}

/** Makes a schema part by part, without the parts that PostgreSQL refuses and what needs them. */
async function build(client: pg.Client, wanted: Schema): Promise<Built> {
  const sql = [...schemaStatements];
  for (const text of sql) await client.query(text);
  let schema = wanted;
  for (const { key, statements } of unitsOf(wanted)) {
    if (!schema.has(key)) continue;
    try {
      await client.query(["BEGIN", ...statements, "COMMIT"].join(";\n"));
      sql.push(...statements);
    } catch (error) {
      if (process.env.REFUSED)
        console.log(`refused: ${(error as Error).message}\n  ${statements.join("\n  ")}`);
      await client.query("ROLLBACK");
      schema = without(schema, [key]);
    }
  }
  return { schema, sql };
}

/** INSERT statements for tables that rows can be written to, triggers and foreign keys aside. */
function rowStatements(schema: Schema): string[] {
  const tables = [...schema.values()].filter(({ form }) => form === "plain" || form === "partitioned");
  const inserts = tables.map((table) => {
    const columns = [...schema.values()].filter(
      ({ within, column }) => within === table.key && column?.value !== undefined,
    );
    const names = columns.map(({ name }) => name).join(", ");
    const values = columns.map(({ column }) => column?.value).join(", ");
    return `INSERT INTO ${table.name} (${names}) OVERRIDING SYSTEM VALUE SELECT ${values} FROM generate_series(1, 3) i`;
  });
  return inserts.filter((sql) => !sql.includes(" () "));
}

async function insertRows(client: pg.Client, schema: Schema): Promise<string[]> {
  const done: string[] = [];
  await client.query("SET session_replication_role = replica");
  for (const sql of rowStatements(schema))
    await client.query(sql).then(
      () => done.push(sql),
      (error) => process.env.REFUSED && console.log(`refused: ${error.message}\n  ${sql}`),
    );
  await client.query("RESET session_replication_role");
  return done.length === 0
    ? []
    : ["SET session_replication_role = replica", ...done, "RESET session_replication_role"];
}

/** Which tables have got, changed or lost rows since the slot was read last, by what it decodes. */
async function decoded(client: pg.Client, slot: string): Promise<ReadonlySet<string>> {
  const rows = await rowsOf<{ data: string }>(
    client,
    "SELECT data FROM pg_logical_slot_get_changes($1, NULL, NULL, 'skip-empty-xacts', '1')",
    [slot],
  );
  const tables = rows.flatMap(
    ({ data }) => /^table (.*?): (?:INSERT|UPDATE|DELETE|TRUNCATE)/s.exec(data)?.[1] ?? [],
  );
  return new Set(tables.filter((table) => !table.startsWith("pgstack.")));
}

const printed = (statements: readonly string[]) => statements.map((text) => `${text};`).join("\n");

async function attempt(what: string, run: () => Promise<readonly string[]>): Promise<string[]> {
  try {
    return (await run()).map((line) => `${what}: ${line}`);
  } catch (error) {
    return [`${what}: it does not run: ${(error as Error).message}`];
  }
}

/** Runs one case on databases of its own. */
export async function runCase(ground: Ground, { from, to }: SchemaPair): Promise<Outcome> {
  const [live, desired] = [await freshDatabase(ground), await freshDatabase(ground)];
  const slot = `slot_${live.database}`;
  const directory = mkdtempSync(join(tmpdir(), "pgstack-random-"));
  try {
    return await withClient(live, async (client) => {
      const start = await build(client, from);
      const models = await withClient(desired, (other) => build(other, to));
      const rows = await insertRows(client, start.schema);
      await client.query("SELECT pg_create_logical_replication_slot($1, 'test_decoding')", [slot]);
      const place = { ground, live, desired, client, slot, directory, models: printed(models.sql) };
      const found = await faultsOf(place);
      return {
        schemas: { from: start.schema, to: models.schema },
        live: printed([...start.sql, ...rows]),
        models: place.models,
        ...found,
      };
    });
  } finally {
    await withClient(ground.cluster.admin, (client) =>
      client.query(
        "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1",
        [slot],
      ),
    );
    await dropDatabase(ground, live);
    await dropDatabase(ground, desired);
    rmSync(directory, { recursive: true, force: true });
  }
}

interface Place {
  readonly ground: Ground;
  readonly live: ConnectionSettings;
  readonly desired: ConnectionSettings;
  readonly client: pg.Client;
  readonly slot: string;
  readonly directory: string;
  readonly models: string;
}

type Found = Pick<Outcome, "migrations" | "faults" | "stopped">;

function requestOf({ ground, models }: Place, client: pg.Client) {
  const origin = { live: readCatalog(client) };
  return { ...ground.scratch, origin, models: [{ name: "models", sql: models }], ignore: [], renames: [] };
}

async function faultsOf(place: Place): Promise<Found> {
  const { live, directory } = place;
  let migrations = "";
  const faults = await attempt("revision", () =>
    withClient(live, async (client) => {
      const written = { directory, description: "random", now: new Date() };
      const { files, problems } = await autogenerate(requestOf(place, client), written);
      migrations = files.map((path) => readFileSync(path, "utf8")).join("\n");
      return problems;
    }),
  );
  if (faults.length > 0) return { migrations, faults, stopped: false };
  return { migrations, ...(await bothWays(place, migrations)) };
}

/** What revision warns of in its comments: rows may be in the way. */
const warned = /-- FAILS/;

async function bothWays(place: Place, text: string): Promise<Pick<Found, "faults" | "stopped">> {
  const { ground, live, desired, client, slot, directory } = place;
  const { programs } = ground.cluster.place;
  const see = async () => ({
    dump: await dumpOf(programs, live),
    rights: await rightsOf(client),
    rows: await rowsIn(client),
  });
  const start = await see();
  const wanted = { dump: await dumpOf(programs, desired), rights: await withClient(desired, rightsOf) };
  const files = await readMigrations(directory, "migrations");
  const run = { access: { owner: live }, settings: defaultSettings, log: () => {} };
  const up = async () => {
    const kept = () => new Set(files.map(({ name }) => name));
    await applyMigrations({ ...run, files, kept, leaving: new Set() });
  };
  const compare = async () => {
    const now = await see();
    return [
      ...differencesOf(now.dump, wanted.dump, start.dump),
      ...otherRights(now.rights, start.rights, wanted.rights),
      ...lostRows(now.rows, start.rows),
    ];
  };
  const first = await attempt("up", async () => {
    await up();
    const faults = await compare();
    const rest = await withClient(live, (other) => differences(requestOf(place, other)));
    const written = [...(await decoded(client, slot))].filter((table) => !text.includes(table));
    return [
      ...faults,
      ...rest.map((line) => `a second revision: ${line}`),
      ...written.map((table) => `the slot sees other rows of ${table}`),
    ];
  });
  if (first.some((line) => line.includes("it does not run")))
    return { faults: warned.test(text) ? [] : first, stopped: warned.test(text) };
  const after = await see();
  const down = await attempt("down", async () => {
    for (const { name } of [...files].reverse()) await revertMigration(run, name);
    const now = await see();
    return [
      ...differencesOf(now.dump, start.dump, after.dump),
      ...otherRights(now.rights, start.rights),
      ...lostRows(now.rows, after.rows),
    ];
  });
  if (down.some((line) => line.includes("it does not run")))
    return { faults: [...first, ...down], stopped: false };
  const reverted = await dumpOf(programs, live);
  const again = await attempt("up again", async () => {
    await up();
    return differencesOf(await dumpOf(programs, live), wanted.dump, reverted);
  });
  return { faults: [...first, ...down, ...again], stopped: false };
}
