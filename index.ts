// SpellBot's PostgreSQL side, as Pulumi.<stack>.yaml configures it.
import { configuredServer, Database, loadConfig } from "./components/index.ts";

Reflect.deleteProperty(Error, "prepareStackTrace"); // docs/decisions/0005-stack-traces.md
const config = loadConfig();
const { instance: _, adminPassword: __, adminAuth: ___, database: settings, ...others } = config;

const instance = configuredServer("instance", config);
const stack = new Database("database", { instance, ...settings, ...others });

export const { host, port } = instance;
export const database = stack.name;
export const { owner, head, migrations, roles, urls, databaseUrl } = stack;
export const { dump, restore, cutover, cutoverSource, admin, sslRootCert } = stack;
