import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { type ConnectionSettings, environmentOf, withClient } from "../runner/postgres/connection.ts";
import { findPrograms } from "../runner/postgres/programs.ts";
import { reviewRoles } from "../runner/roles/review/review.ts";
import { createProject } from "../tests/support/project.ts";
import { startThrowawayCluster } from "../tests/support/throwaway-cluster.ts";
import { seconds } from "./support/measure.ts";

const schemas = ["public", "app", "stats", "audit"];
const tablesEach = 500;
const roles = Array.from({ length: 12 }, (_, index) => ({
  name: `role_${index}`,
  access: index % 2 === 0 ? "readonly" : "readwrite",
}));

const say = (text: string) => process.stdout.write(`${text}\n`);
const best = async (runs: number, work: () => unknown) => {
  const times: number[] = [];
  for (let run = 0; run < runs; run++) times.push(await seconds(work));
  return Math.min(...times);
};

/** SQL that makes the tables, some statements together so that a migration of it stays short. */
function tables(): string {
  const made = schemas.map(
    (schema) => `CREATE SCHEMA IF NOT EXISTS ${schema};
DO $$ BEGIN FOR n IN 1..${tablesEach} LOOP EXECUTE 'CREATE TABLE ${schema}.t' || n || ' (id int, body text)'; END LOOP; END $$;`,
  );
  return made.join("\n");
}

/** What people write by hand for the same roles. */
function byHand(database: string): string {
  return roles
    .flatMap(({ name, access }) => {
      const role = `hand_${name}`;
      const rights = access === "readonly" ? "SELECT" : "SELECT, INSERT, UPDATE, DELETE";
      return [
        `CREATE ROLE ${role} LOGIN PASSWORD 'pw';`,
        `GRANT CONNECT ON DATABASE ${database} TO ${role};`,
        ...schemas.flatMap((schema) => [
          `GRANT USAGE ON SCHEMA ${schema} TO ${role};`,
          `GRANT ${rights} ON ALL TABLES IN SCHEMA ${schema} TO ${role};`,
          `ALTER DEFAULT PRIVILEGES IN SCHEMA ${schema} GRANT ${rights} ON TABLES TO ${role};`,
        ]),
      ];
    })
    .join("\n");
}

const { directory } = await findPrograms("psql");
function psql(settings: ConnectionSettings, sql: string): void {
  const env = { ...process.env, ...environmentOf(settings) };
  execFileSync(join(directory, "psql"), ["-qAtX", "-v", "ON_ERROR_STOP=1"], {
    env,
    input: sql,
    stdio: ["pipe", "ignore", "inherit"],
  });
}

await using cluster = await startThrowawayCluster({ settings: { max_locks_per_transaction: 1024 } });
await using project = createProject();
const { host, port, user: adminUser, password: adminPassword, sslMode } = cluster.admin;

async function pulumi(command: string, ...args: string[]): Promise<void> {
  const { code, output } = await project.pgstack(command, "bench", ...args);
  if (code !== 0) throw new Error(output);
}

function configure(some: readonly object[]): void {
  const instance = { kind: "existing", host, port, adminUser, sslMode };
  const database = { name: "bench", owner: "bench_owner", schemas };
  project.configure("bench", { instance, adminPassword, database, roles: some, protect: false });
}

project.remove("migrations");
mkdirSync(join(project.directory, "migrations"));
project.write(
  "migrations/20240101000000_tables.sql",
  `-- migrate: up\n${tables()}\n-- migrate: down irreversible\n`,
);
configure([]);
await pulumi("up", "--yes", "--skip-preview");
configure(roles);
const up = await seconds(() => pulumi("up", "--yes", "--skip-preview"));
psql(cluster.admin, "CREATE DATABASE hand");
const hand = { ...cluster.admin, database: "hand" };
psql(hand, tables());
const file = await seconds(() => psql(hand, byHand("hand")));
say(
  `up of ${roles.length} roles × ${schemas.length} schemas × ${tablesEach} tables: ${up.toFixed(2)} s; one psql file: ${file.toFixed(2)} s`,
);

const preview = await best(5, () => pulumi("preview", "--expect-no-changes"));
const program = project.read("index.ts");
project.write("index.ts", "export {};\n");
const empty = await best(5, () => pulumi("preview"));
project.write("index.ts", program);
say(
  `no-op preview with ${roles.length} roles: ${preview.toFixed(2)} s, ${(preview / empty).toFixed(2)} × an empty program's ${empty.toFixed(2)} s`,
);

psql(cluster.admin, "CREATE DATABASE wide");
const wide = { ...cluster.admin, database: "wide" };
psql(
  wide,
  tables() +
    tables().replaceAll(".t' ||", ".u' ||") +
    "DO $$ BEGIN FOR n IN 1..1000 LOOP EXECUTE 'CREATE TABLE v' || n || ' (id int)'; END LOOP; END $$;",
);
psql(
  wide,
  Array.from(
    { length: 20 },
    (_, n) => `CREATE ROLE wide_${n} LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO wide_${n};`,
  ).join("\n"),
);
const named = Array.from({ length: 20 }, (_, n) => `wide_${n}`);
const declared = named.map((role) => ({
  ...({ role, access: "readonly", schemas: ["public"], allSchemas: false } as const),
  ...{ exclude: [], memberOf: [] },
}));
const matrix = await best(5, () =>
  withClient(wide, (client) => reviewRoles(client, { owner: "postgres", creators: [], roles: declared })),
);
const asked = await best(5, () =>
  psql(
    wide,
    `SELECT count(*) FROM pg_roles r, pg_class c, unnest('{SELECT,INSERT,UPDATE,DELETE,TRUNCATE}'::text[]) p
     WHERE r.rolname LIKE 'wide%' AND c.relkind = 'r' AND c.relnamespace::regnamespace::text !~ '^(pg_|info)'
       AND has_table_privilege(r.oid, c.oid, p)`,
  ),
);
say(
  `roles of 5,000 tables and 20 roles: ${matrix.toFixed(2)} s, ${(matrix / asked).toFixed(2)} × the bare question in psql (${asked.toFixed(2)} s)`,
);
