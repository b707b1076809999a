import * as pulumi from "@pulumi/pulumi";
import { loadConfig } from "./components/config.ts";
import { administratorOutput, urlsOf } from "./components/connection.ts";
import { Cutover, Switchover } from "./components/cutover.ts";
import { Database } from "./components/database.ts";
import { Dump } from "./components/dump.ts";
import { createProvider, Instance } from "./components/instance.ts";
import { Migrations, readFiles } from "./components/migrations.ts";
import { Restore } from "./components/restore.ts";
import { RoleGrants } from "./components/roles/grants.ts";
import { LoginRole } from "./components/roles/login-role.ts";
import { checkRights } from "./components/roles/preview-check.ts";
import { Roles } from "./components/roles/roles.ts";
import { QueryProcess } from "./components/runner/query-process.ts";
import { meanwhile } from "./runner/util/background.ts";

const queries = QueryProcess.start("migrations-read", "rights-check", "migrations-check");
const config = loadConfig();
const { protect, passwords, adopt } = config;
const { importOnly } = adopt;
const { owner: ownerName, name: databaseName } = config.database;

const updates = !pulumi.runtime.isDryRun(); // a preview changes nothing: it goes on while it is told what is there
const files = meanwhile(importOnly ? [] : readFiles(queries, config.migrations));
if (updates) await files;

const instance = new Instance("instance", { config: config.instance, adminPassword: config.adminPassword });
const { administrator, resource: deletedWith } = instance;
const check = meanwhile(checkRights(queries, config, instance));
if (updates) await check;
const providers = [createProvider(administrator, instance)];

const ownerRole = new LoginRole(
  ownerName,
  {
    settings: { name: ownerName },
    password: passwords[ownerName],
    adopted: adopt.roles.includes(ownerName),
    ...{ importOnly, deletedWith },
  },
  { providers, protect },
);
const { database: stackDatabase, contents } = new Database(
  "database",
  {
    config: config.database,
    owner: ownerRole.role,
    instance: deletedWith,
    administrator,
    protect,
    importOnly,
  },
  { providers },
);
const target = { config: config.database, database: stackDatabase, instance: deletedWith, administrator };
const stackRoles = new Roles(
  "roles",
  { roles: config.roles, passwords, target, adopt, after: contents },
  { providers },
);

const restored =
  config.restore &&
  new Restore("restore", {
    config: config.restore,
    migrations: config.migrations,
    connection: stackRoles.admin,
    owner: ownerName,
    database: stackDatabase,
    after: [stackRoles],
    queries,
  });
const moved =
  config.cutover &&
  new Cutover("cutover", {
    config: config.cutover,
    connection: stackRoles.admin,
    declared: config.database,
    roles: config.roles.map(({ name }) => name),
    database: stackDatabase,
    after: [stackRoles],
    queries,
  });
const rollback = moved?.rollback;
const applied = importOnly
  ? undefined
  : new Migrations("migrations", {
      settings: config.migrations,
      files: await files,
      administrator,
      owner: { user: ownerName, password: ownerRole.password, database: databaseName },
      deletedWith: stackDatabase,
      after: [stackRoles, ...(restored ? [restored] : []), ...(moved ? [moved.copy] : [])],
      epoch: restored?.epoch ?? moved?.contentGeneration,
      rollback,
      queries,
    });
const { count, head: newest, pending } = applied ?? { count: 0, head: null, pending: 0 };
const epoch = pulumi.interpolate`${restored?.epoch ?? moved?.contentGeneration ?? ""} ${count} ${newest}`;
const grants =
  applied &&
  new RoleGrants(
    "grants",
    { roles: stackRoles, epoch, after: [applied.applied], check: await check, rollback, queries },
    { providers },
  );
const dumped =
  grants &&
  config.dump &&
  new Dump("dump", { config: config.dump, connection: stackRoles.admin, after: [grants] });

const loginPasswords = { [ownerName]: ownerRole.password, ...stackRoles.passwords };
export const { host, port } = administrator;
export const database = stackDatabase.name;
export const owner = ownerRole.role.name;
export const head = newest;
export const migrations = { count, head, pending };
export const roles = config.roles.map((role) => ({ name: role.name, access: role.access }));
export const urls = urlsOf({ server: administrator, database, passwords: loginPasswords });
export const databaseUrl = urls.apply((byRole) => byRole[ownerName]);
export const dump = dumped?.report ?? null;
export const restore = restored?.report ?? null;
const switchover = moved && new Switchover("switchover", { cutover: moved, after: grants ? [grants] : [] });
export const cutover = switchover?.output ?? null;
grants?.prove(cutover);
export const admin = administratorOutput(administrator);
