import { loadConfig } from "./components/config.ts";
import { connectionEnvironment } from "./components/connection.ts";
import { Database } from "./components/database.ts";
import { Instance } from "./components/instance.ts";
import { LoginRole } from "./components/login-role.ts";
import { Migrations } from "./components/migrations.ts";
import { outputsOf } from "./components/outputs.ts";
import { createProvider } from "./components/provider.ts";
import { RoleGrants } from "./components/role-grants.ts";
import { Roles } from "./components/roles.ts";

const config = loadConfig();
const { name, owner } = config.database;

const instance = new Instance("instance", { config: config.instance, adminPassword: config.adminPassword });
const server = instance.administrator;
const deletedWith = instance.resource;
const options = { providers: [createProvider(server, instance)] };

const ownerRole = new LoginRole(
  owner,
  { settings: { name: owner }, password: config.passwords[owner], deletedWith },
  { ...options, protect: config.protect },
);
const database = new Database(
  "database",
  { config: config.database, owner: ownerRole.role, instance: deletedWith, protect: config.protect },
  options,
);

const admin = connectionEnvironment(server, { ...server, database: name });
const ownerEnvironment = connectionEnvironment(server, {
  user: owner,
  password: ownerRole.password,
  database: name,
});
const roles = new Roles(
  "roles",
  {
    roles: config.roles,
    passwords: config.passwords,
    target: { config: config.database, database: database.database, instance: deletedWith, admin },
    after: database.contents,
  },
  options,
);
const migrations = new Migrations("migrations", {
  config: config.migrations,
  environment: ownerEnvironment,
  database: database.database,
  after: [roles],
});
new RoleGrants("grants", { roles, epoch: migrations.head, after: migrations.resources }, options);

export const { host, port, databaseName, ownerName } = outputsOf();
