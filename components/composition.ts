import * as pulumi from "@pulumi/pulumi";
import type { DumpConfig } from "../runner/config/dump.ts";
import { meanwhile } from "../runner/util/background.ts";
import { present } from "../runner/util/present.ts";
import type { CheckedDatabase } from "./arguments.ts";
import type { Server } from "./instance.ts";
import { administratorOutput, certificateOutput, connectionEnvironment, urlsOf } from "./parts/connection.ts";
import { declareDatabase } from "./parts/contents.ts";
import { Cutover, reportCutovers, Switchover } from "./parts/cutover.ts";
import { Dump } from "./parts/dump.ts";
import { Migrations, readFiles } from "./parts/migrations.ts";
import type { Names } from "./parts/names.ts";
import { checkPrevious, recordedMigrations } from "./parts/previous-update.ts";
import { Protection } from "./parts/protection.ts";
import { orFail } from "./parts/refusal.ts";
import { Restore } from "./parts/restore.ts";
import type { Program } from "./program.ts";
import { RoleGrants, verifyAtEnd } from "./roles/grants.ts";
import { LoginRole } from "./roles/login-role.ts";
import { checkRights } from "./roles/preview-check.ts";
import { checkProvider, keepMemberships } from "./roles/provider-check.ts";
import { Roles } from "./roles/roles.ts";
import type { Turn } from "./turns.ts";

/** A database that is to be declared. */
export interface Composition {
  readonly program: Program;
  /** The component's name. */
  readonly component: string;
  readonly names: Names;
  readonly config: CheckedDatabase;
  readonly instance: Server;
}

/** What a database says of itself once it is declared. */
export interface DatabaseOutputs {
  readonly ready: readonly pulumi.Resource[];
  readonly urls: pulumi.Output<Record<string, string>>;
  readonly head: pulumi.Output<string | null> | null;
  readonly migrations: object;
  readonly name: pulumi.Output<string>;
  readonly owner: pulumi.Output<string>;
  readonly dump: pulumi.Output<object> | null;
  readonly restore: pulumi.Output<object> | null;
  readonly cutover: pulumi.Output<object> | null;
  readonly cutoverSource: pulumi.Output<object> | null;
  readonly admin: pulumi.Output<object>;
  readonly sslRootCert: pulumi.Output<string | null>;
}

/** Declares all of a database, in order, after files, configuration and server have been checked. Throws RunError. */
export async function declareAll(
  composition: Composition,
  parent: pulumi.ComponentResource,
): Promise<DatabaseOutputs> {
  const checked = check(composition);
  const turn = composition.instance.turns.take("roles"); // in the order of constructors
  const grantsTurn = composition.instance.turns.take("grants");
  const placed: Placed = { ...composition, ...(await checked), options: childOf(composition, parent) };
  const base = declareBase({ ...placed, after: await turn.after }, parent);
  turn.end([base.owner.role, base.roles, ...base.contents]);
  const content = declareContent(placed, base);
  return declareRest(placed, base, content, grantsTurn);
}

/** A part of the database; what a checkout's program declared beside the others is below the database now. */
function childOf({ names, instance }: Composition, parent: pulumi.Resource): pulumi.ComponentResourceOptions {
  return {
    parent,
    providers: [instance.provider],
    ...(names.isCheckout && { aliases: [{ parent: pulumi.rootStackResource }] }),
  };
}

/** What the checks before the first declaration found. */
type Checked = Awaited<ReturnType<typeof check>>;

interface Placed extends Composition, Checked {
  readonly options: pulumi.ComponentResourceOptions;
}

/** Checks the files, then the server. An update waits for all of it before it declares anything. */
async function check({ program, component, names, config, instance }: Composition) {
  const { queries, state } = program;
  const known = { component, names, state };
  const files = meanwhile(config.adopt.importOnly ? [] : readFiles(queries, config.migrations));
  const previous = meanwhile(checkPrevious(config, known));
  await Promise.all([program.gate.pass(previous), program.gate.pass(files)]);
  const rights = meanwhile(checkRights({ queries, config, instance, known }));
  const providerCheck = checkProvider(queries, config, instance);
  await instance.gate.pass(Promise.all([rights, providerCheck]));
  return {
    known,
    files,
    previous,
    rights,
    providerCheck,
    cluster: await instance.resource,
    adminUser: await instance.adminUser(),
  };
}

/** Database and roles, before migrations. */
type Base = ReturnType<typeof declareBase>;

function declareBase(
  placed: Placed & { readonly after: readonly pulumi.Resource[] },
  parent: pulumi.Resource,
) {
  const { program, names, config, instance, cluster, adminUser, options, after } = placed;
  const { protect, passwords, adopt, database } = config;
  const { administrator } = instance;
  const { connections, queries } = program;
  const adopted = adopt.roles.includes(database.owner);
  const connection = connections.to(
    names.of("administrator"),
    connectionEnvironment(administrator, { ...administrator, database: database.name }),
  );
  const owner = new LoginRole(
    names.ofRole(database.owner),
    {
      settings: { name: database.owner },
      password: passwords[database.owner],
      adopted,
      isAdmin: database.owner === adminUser,
      importOnly: adopt.importOnly,
      deletedWith: cluster,
      after,
    },
    { ...options, protect },
  );
  const { database: resource, contents } = declareDatabase(
    {
      names,
      config: database,
      owner: owner.role,
      instance: cluster,
      connection,
      protect,
      adopted,
      importOnly: adopt.importOnly,
    },
    { parent, provider: instance.provider },
  );
  const target = {
    names,
    config: database,
    database: resource,
    instance: cluster,
    administrator,
    connections,
    admin: connection,
  };
  const roles = new Roles(
    names.of("roles"),
    {
      roles: config.roles,
      passwords,
      target,
      adopt,
      instants: placed.providerCheck.then(({ texts }) => texts),
      declaredElsewhere: (role) => instance.turns.get(role),
      adminUser,
      after: contents,
    },
    options,
  );
  for (const role of roles.all)
    if (role.config.shared !== true && role.role) instance.turns.add({ ...role, role: role.role });
  keepMemberships({
    before: placed.providerCheck,
    after: [owner.role, ...roles.all.flatMap(({ role }) => role ?? [])],
    instance,
    queries,
  });
  return { connection, owner, resource, contents, roles };
}

/** What fills the database: a restore or a cutover. */
type Content = ReturnType<typeof declareContent>;

function declareContent({ program, names, config, previous, options }: Placed, base: Base) {
  const { connections, queries } = program;
  const { connection, resource: database, roles } = base;
  const filling = { connections, connection, database, after: [roles], previous, queries };
  const restoration =
    config.restore &&
    new Restore(
      names.of("restore"),
      { ...filling, config: config.restore, migrations: config.migrations, owner: config.database.owner },
      options,
    );
  const move =
    config.cutover &&
    new Cutover(
      names.of("cutover"),
      {
        ...filling,
        names,
        config: config.cutover,
        declared: config.database,
        roles: config.roles.map(({ name }) => name),
      },
      options,
    );
  void orFail(reportCutovers({ connection: roles.admin, queries }));
  return { restoration, move, filled: restoration ?? move };
}

function declareDump(
  { program, names, config, previous, options }: Placed,
  { connection, owner }: Base,
  when: DumpConfig["when"],
  after: pulumi.Resource,
): Dump | undefined {
  if (config.adopt.importOnly || config.dump?.when !== when) return undefined;
  return new Dump(
    names.of("dump"),
    {
      config: config.dump,
      prefix: names.of(pulumi.getStack()),
      connections: program.connections,
      connection,
      owner: { user: config.database.owner, password: owner.password },
      previous,
      after: [after],
    },
    options,
  );
}

function declareMigrations(
  { program, names, config, instance, files, known, options }: Placed,
  { owner, resource, roles }: Base,
  { filled, move }: Content,
  before: Dump | undefined,
): Migrations {
  const { connections, queries } = program;
  const { owner: user, name: database } = config.database;
  return new Migrations(
    names.of("migrations"),
    {
      names,
      settings: config.migrations,
      files,
      administrator: instance.administrator,
      connections,
      owner: { user, password: owner.password, database },
      deletedWith: resource,
      after: present<pulumi.Resource>(roles, filled, before),
      content: filled,
      protect: config.protect,
      rollback: move?.rollback,
      recorded: () => recordedMigrations(known),
      queries,
    },
    options,
  );
}

/** What follows on roles and contents: dumps, migrations, grants, and the switch of a cutover. */
async function declareRest(
  placed: Placed,
  base: Base,
  content: Content,
  turn: Turn,
): Promise<DatabaseOutputs> {
  const { program, names, config, options } = placed;
  const { filled, move } = content;
  const dumpBefore = declareDump(placed, base, "before", filled ?? base.roles);
  const migrations = config.adopt.importOnly
    ? undefined
    : declareMigrations(placed, base, content, dumpBefore);
  const after = await turn.after;
  const grants =
    migrations &&
    new RoleGrants(
      names.of("grants"),
      {
        roles: base.roles,
        epoch: migrations.generation,
        after: [migrations.applied, ...after],
        check: await placed.rights,
        rollback: move?.rollback,
        queries: program.queries,
      },
      options,
    );
  const dumpAfter = grants && declareDump(placed, base, "after", grants);
  const switchover =
    move &&
    new Switchover(
      names.of("switchover"),
      { cutover: move, after: present<pulumi.Resource>(grants) },
      options,
    );
  const verified = grants && verifyAtEnd({ grants, after: switchover?.output, queries: program.queries });
  const all = [
    ...present<pulumi.Resource>(base.owner, base.roles, filled, grants, dumpBefore, dumpAfter, switchover),
    ...base.contents,
  ];
  protect(placed, all, migrations);
  await verified;
  turn.end(present<pulumi.Resource>(grants)); // a shared role is verified in one database after the other
  return outputsOf(placed, base, content, { all, migrations, dump: dumpBefore ?? dumpAfter, switchover });
}

function protect(
  { names, config, instance, options }: Placed,
  all: readonly pulumi.Resource[],
  migrations: Migrations | undefined,
): void {
  new Protection(
    names.of("protection"),
    { protect: config.protect, before: [instance, ...all], records: migrations?.records },
    options,
  );
}

interface Declared {
  readonly all: readonly pulumi.Resource[];
  readonly migrations: Migrations | undefined;
  readonly dump: Dump | undefined;
  readonly switchover: Switchover | undefined;
}

function outputsOf(
  { config, instance }: Placed,
  { owner, resource, roles }: Base,
  { restoration, move }: Content,
  { all, migrations, dump, switchover }: Declared,
): DatabaseOutputs {
  const { administrator } = instance;
  const head = migrations?.head ?? null;
  return {
    ready: all,
    urls: urlsOf({
      server: administrator,
      database: resource.name,
      passwords: { [config.database.owner]: owner.password, ...roles.passwords },
      logins: Object.fromEntries(config.roles.map(({ name, login = name }) => [name, login])),
    }),
    head,
    migrations: { count: migrations?.count ?? 0, head, pending: migrations?.pending ?? 0 },
    name: resource.name,
    owner: owner.role.name,
    dump: dump?.report ?? null,
    restore: restoration?.report ?? null,
    cutover: switchover?.output ?? null,
    cutoverSource: move?.source ?? null,
    admin: administratorOutput(administrator),
    sslRootCert: certificateOutput(administrator),
  };
}
