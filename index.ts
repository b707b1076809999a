import { loadConfig } from "./components/config.ts";
import { connectionEnvironment } from "./components/connection.ts";
import { Database } from "./components/database.ts";
import { Instance } from "./components/instance.ts";
import { LoginRole } from "./components/login-role.ts";
import { administratorOutput, urlsOf } from "./components/outputs.ts";
import { createProvider } from "./components/provider.ts";
import { RoleGrants } from "./components/role-grants.ts";
import { Roles } from "./components/roles.ts";

const config = loadConfig();
const { name, owner: ownerName } = config.database;

const instance = new Instance("instance", { config: config.instance, adminPassword: config.adminPassword });
const { administrator, resource: deletedWith } = instance;
const providers = [createProvider(administrator, instance)];

const ownerRole = new LoginRole(
  ownerName,
  { settings: { name: ownerName }, password: config.passwords[ownerName], deletedWith },
  { providers, protect: config.protect },
);
const stackDatabase = new Database(
  "database",
  { config: config.database, owner: ownerRole.role, instance: deletedWith, protect: config.protect },
  { providers },
);
const roles = new Roles(
  "roles",
  {
    roles: config.roles,
    passwords: config.passwords,
    target: {
      config: config.database,
      database: stackDatabase.database,
      instance: deletedWith,
      admin: connectionEnvironment(administrator, { ...administrator, database: name }),
    },
    after: stackDatabase.contents,
  },
  { providers },
);
new RoleGrants("grants", { roles, epoch: "x", after: [roles] }, { providers });

const logins = { [ownerName]: ownerRole.password, ...roles.passwords };
export const { host, port } = administrator;
export const database = stackDatabase.database.name;
export const owner = ownerRole.role.name;
export const urls = urlsOf({ server: administrator, database, passwords: logins });
export const databaseUrl = urls.apply((byRole) => byRole[ownerName]);
export const admin = administratorOutput(administrator);
