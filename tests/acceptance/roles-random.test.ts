// Random declarations of roles, each right compared with a model; and what they found. bench/random-roles.ts runs any number.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { RightsDeclaration } from "../../runner/config/role-declaration.ts";
import { type ConnectionSettings, withClient } from "../../runner/postgres/connection.ts";
import { readProviderLimits } from "../../runner/roles/catalog/provider-limits.ts";
import { applyRights } from "../../runner/roles/plan/apply.ts";
import { runRoleCase } from "../generator/roles/role-case.ts";
import { sql } from "../support/databases.ts";
import { startThrowawayCluster, type ThrowawayCluster } from "../support/throwaway-cluster.ts";

let cluster: ThrowawayCluster;
before(async () => {
  cluster = await startThrowawayCluster({ admin: "superuser" });
});
after(() => cluster?.close());

for (const seed of [1, 2, 3, 4, 5, 6])
  test(`seed ${seed}: who may do what, after updates, later objects, changes by hand and other declarations`, async () => {
    const { faults, log } = await runRoleCase(cluster, seed);
    assert.deepEqual(faults, [], log.join("\n"));
  });

async function newDatabase(name: string, ...statements: string[]): Promise<ConnectionSettings> {
  const settings = { ...cluster.superuser, database: name };
  await sql(cluster.superuser, `CREATE ROLE ${name}_reader LOGIN`, `CREATE DATABASE ${name}`);
  await sql(settings, ...statements);
  return settings;
}

function declaration(
  role: string,
  exclude: readonly string[],
  memberOf?: readonly string[],
): RightsDeclaration {
  const one = { role, access: "readonly", schemas: ["public"], allSchemas: true, exclude } as const;
  const attributes = { role, adopted: false, connectionLimit: -1, statementTimeout: 0 } as const;
  const rest = { idleInTransactionTimeout: 0, validUntil: "infinity" } as const;
  return {
    owner: "postgres",
    creators: [],
    roles: [one],
    attributes: memberOf === undefined ? [] : [{ ...attributes, ...rest, memberOf }],
  };
}

test("an excluded table excludes what is below it, whatever its schema is called", async () => {
  const settings = await newDatabase(
    "below",
    'CREATE SCHEMA "Odd One"; CREATE SCHEMA parts',
    'CREATE TABLE "Odd One".t (id int) PARTITION BY LIST (id)',
    'CREATE TABLE "Odd One".t_1 PARTITION OF "Odd One".t FOR VALUES IN (1)',
    'CREATE TABLE parts.t_2 PARTITION OF "Odd One".t FOR VALUES IN (2)',
    "CREATE TABLE u (id int); CREATE TABLE u_child () INHERITS (u); CREATE TABLE open (id int)",
  );
  const rights = declaration("below_reader", ['"Odd One".t', "u"]);
  await withClient(settings, async (client) => {
    await applyRights(client, rights);
    const { rows } = await client.query(
      "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace::regnamespace::text !~ '^(pg_|information)' AND has_table_privilege('below_reader', oid, 'SELECT')",
    );
    assert.deepEqual(rows, [{ relname: "open" }]);
    const limit = { schema: "parts", what: "objects", role: "below_reader" };
    assert.deepEqual(
      await readProviderLimits(client, rights.roles),
      [limit],
      "no Grant on all tables of parts",
    );
  });
});

test("a CREATE that a declared role got by hand, or by a membership, makes it no role whose objects count", async () => {
  const settings = await newDatabase(
    "byhand",
    "CREATE ROLE byhand_makers",
    "GRANT CREATE ON SCHEMA public TO byhand_makers",
  );
  const rights = declaration("byhand_reader", [], []);
  await withClient(settings, (client) => applyRights(client, rights));
  await sql(
    settings,
    "GRANT CREATE ON SCHEMA public TO byhand_reader",
    "GRANT byhand_makers TO byhand_reader",
  );
  await withClient(settings, async (client) => {
    assert.notDeepEqual(await applyRights(client, rights), []);
    assert.deepEqual(await applyRights(client, rights), [], "one update settles it");
  });
});
