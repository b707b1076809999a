import type * as pulumi from "@pulumi/pulumi";
import { loadConfig } from "./components/config.ts";
import { administratorOutput, connectionEnvironment, urlsOf } from "./components/connection.ts";
import { Connections } from "./components/connections.ts";
import { Cutover, reportCutovers, Switchover } from "./components/cutover.ts";
import { Database } from "./components/database.ts";
import { Dump } from "./components/dump.ts";
import { createProvider, Instance } from "./components/instance.ts";
import { Migrations, readFiles } from "./components/migrations.ts";
import { checkPrevious } from "./components/previous-update.ts";
import { Protection } from "./components/protection.ts";
import { beforeChanges, orFail } from "./components/refusal.ts";
import { Restore } from "./components/restore.ts";
import { RoleGrants, verifyAtEnd } from "./components/roles/grants.ts";
import { LoginRole } from "./components/roles/login-role.ts";
import { checkRights } from "./components/roles/preview-check.ts";
import { checkProvider, keepMemberships } from "./components/roles/provider-check.ts";
import { Roles } from "./components/roles/roles.ts";
import { QueryProcess } from "./components/runner/query-process.ts";
import type { DumpConfig } from "./runner/config/dump.ts";
import { meanwhile } from "./runner/util/background.ts";
import { present } from "./runner/util/present.ts";

Reflect.deleteProperty(Error, "prepareStackTrace"); // docs/decisions/0005-stack-traces.md
const queries = QueryProcess.start("migrations-read", "rights-check", "migrations-check");
const config = loadConfig();
const { protect, passwords, adopt } = config;
const { importOnly } = adopt;
const { owner: ownerName, name: databaseName } = config.database;
const adopted = adopt.roles.includes(ownerName);
const adminUser = config.instance.kind === "existing" ? config.instance.adminUser : undefined;

const files = meanwhile(importOnly ? [] : readFiles(queries, config.migrations));
const previous = meanwhile(checkPrevious(config));
await beforeChanges(previous, files);

const server = new Instance("instance", { config: config.instance, adminPassword: config.adminPassword });
const { administrator, resource: instance } = server;
const rights = checkRights(queries, config, server);
const providerCheck = checkProvider(queries, config, server);
const instants = providerCheck.then(({ texts }) => texts);
await beforeChanges(rights, providerCheck);
const providers = [createProvider(administrator, server)];
const connections = new Connections("connections");
const asAdmin = connections.to(
  "administrator",
  connectionEnvironment(administrator, { ...administrator, database: databaseName }),
);

const ownerRole = new LoginRole(
  ownerName,
  {
    settings: { name: ownerName },
    password: passwords[ownerName],
    adopted,
    isAdmin: ownerName === adminUser,
    importOnly,
    deletedWith: instance,
  },
  { providers, protect },
);
const { database: stackDatabase, contents } = new Database(
  "database",
  {
    config: config.database,
    owner: ownerRole.role,
    instance,
    connection: asAdmin,
    protect,
    adopted,
    importOnly,
  },
  { providers },
);
const target = {
  config: config.database,
  database: stackDatabase,
  instance,
  administrator,
  connections,
  admin: asAdmin,
};
const stackRoles = new Roles(
  "roles",
  { roles: config.roles, passwords, target, adopt, instants, adminUser, after: contents },
  { providers },
);

keepMemberships({
  before: providerCheck,
  after: [ownerRole, ...stackRoles.all].map(({ role }) => role),
  instance: server,
  queries,
});

const filling = {
  connections,
  connection: asAdmin,
  database: stackDatabase,
  after: [stackRoles],
  previous,
  queries,
};
const restoration =
  config.restore &&
  new Restore("restore", {
    ...filling,
    config: config.restore,
    migrations: config.migrations,
    owner: ownerName,
  });
const move =
  config.cutover &&
  new Cutover("cutover", {
    ...filling,
    config: config.cutover,
    declared: config.database,
    roles: config.roles.map(({ name }) => name),
  });
void orFail(reportCutovers({ connection: stackRoles.admin, queries }));
const content = restoration ?? move;

const backup = (when: DumpConfig["when"], after: pulumi.Resource) =>
  !importOnly && config.dump?.when === when
    ? new Dump("dump", {
        config: config.dump,
        connections,
        connection: asAdmin,
        owner: { user: ownerName, password: ownerRole.password },
        previous,
        after: [after],
      })
    : undefined;
const backupBefore = backup("before", content ?? stackRoles);
const stackMigrations = importOnly
  ? undefined
  : new Migrations("migrations", {
      settings: config.migrations,
      files,
      administrator,
      connections,
      owner: { user: ownerName, password: ownerRole.password, database: databaseName },
      deletedWith: stackDatabase,
      after: present<pulumi.Resource>(stackRoles, content, backupBefore),
      content,
      protect,
      rollback: move?.rollback,
      queries,
    });
const grants =
  stackMigrations &&
  new RoleGrants(
    "grants",
    {
      roles: stackRoles,
      epoch: stackMigrations.generation,
      after: [stackMigrations.applied],
      check: await rights,
      rollback: move?.rollback,
      queries,
    },
    { providers },
  );
const backupAfter = grants && backup("after", grants);
const switchover =
  move && new Switchover("switchover", { cutover: move, after: present<pulumi.Resource>(grants) });
if (grants) verifyAtEnd({ grants, after: switchover?.output, queries });
new Protection("protection", {
  protect,
  before: present<pulumi.Resource>(
    server,
    ownerRole,
    stackRoles,
    content,
    grants,
    backupBefore,
    backupAfter,
    switchover,
  ),
  records: stackMigrations?.records,
});

const loginPasswords = { [ownerName]: ownerRole.password, ...stackRoles.passwords };
export const { host, port } = administrator;
export const database = stackDatabase.name;
export const owner = ownerRole.role.name;
export const head = stackMigrations?.head ?? null;
export const migrations = {
  count: stackMigrations?.count ?? 0,
  head,
  pending: stackMigrations?.pending ?? 0,
};
export const roles = config.roles.map((role) => ({ name: role.name, access: role.access }));
export const urls = urlsOf({ server: administrator, database, passwords: loginPasswords });
export const databaseUrl = urls.apply((byRole) => byRole[ownerName]);
export const dump = (backupBefore ?? backupAfter)?.report ?? null;
export const restore = restoration?.report ?? null;
export const cutover = switchover?.output ?? null;
export const cutoverSource = move?.source ?? null;
export const admin = administratorOutput(administrator);
