import * as v from "valibot";
import { type Command, queryCommand } from "../../cli/command.ts";
import {
  type RightsCheckRequest,
  RightsDeclaration,
  type RoleDeclaration,
  RoleDrop,
  VerifiedRole,
} from "../../config/role-declaration.ts";
import { withMovedOpen } from "../../cutover/freeze/write-block.ts";
import { catalogSettings } from "../../postgres/catalog-lock.ts";
import { connectionFromEnvironment, withClient } from "../../postgres/connection.ts";
import { passwordAdvice, readChangedPasswords } from "../../roles/catalog/passwords.ts";
import { readProviderLimits } from "../../roles/catalog/provider-limits.ts";
import { generatePassword } from "../../roles/password.ts";
import { applyRights } from "../../roles/plan/apply.ts";
import { prepareRoleDrop, revokeRole } from "../../roles/plan/drop-role.ts";
import { type Membership, restoreMemberships } from "../../roles/plan/kept-memberships.ts";
import { readProbed } from "../../roles/probe/run-probes.ts";
import { verifyRole } from "../../roles/probe/verify.ts";
import { checkRights } from "../../roles/review/preview.ts";
import { checkProvider, type ProviderCheckRequest } from "../../roles/review/provider-check.ts";
import { ExitCode, UserError } from "../../util/errors.ts";
import { parseRequest } from "../../util/request.ts";

const roleGrants: Command = {
  summary: "gives roles exactly the rights they are declared to have, and PUBLIC none of them",
  usage: "role-grants < declaration",
  flags: {},
  run: async ({ env, stdin, print, log }) => {
    const declaration = parseRequest(RightsDeclaration, await stdin(), "a declaration of rights");
    const statements = await withClient(connectionFromEnvironment(env), (client) =>
      applyRights(client, declaration, (line) => log(`warning: ${line}`)),
    );
    for (const sql of statements) log(sql.length > 200 ? `${sql.slice(0, 200)} …` : sql);
    print(JSON.stringify({ statements: statements.length }));
    return ExitCode.done;
  },
};

const PasswordRequest = v.object({ passwordVersion: v.number() });

const passwordGenerate: Command = {
  summary: "prints a new password, or the one of the run before where the version is the same",
  usage: "password-generate < settings",
  flags: {},
  run: async ({ env, stdin, print }) => {
    const { passwordVersion } = parseRequest(PasswordRequest, await stdin(), "the settings of a password");
    print(JSON.stringify(generatePassword(passwordVersion, env.PULUMI_COMMAND_STDOUT)));
    return ExitCode.done;
  },
};

const rightsCheck = queryCommand<RightsCheckRequest>(
  "rights-check",
  "what the admin cannot do of what a stack asks for, and which rights are not as declared, as JSON",
  (request, environment) => checkRights(connectionFromEnvironment(environment), request),
);

const providerCheck = queryCommand<ProviderCheckRequest>(
  "provider-check",
  "what Pulumi's postgresql provider has to be told as the server writes it, and what it cannot read, as JSON",
  (request, environment) => checkProvider(connectionFromEnvironment(environment), request),
);

const rightsLimits = queryCommand<{ roles: readonly RoleDeclaration[] }>(
  "rights-limits",
  "which rights Pulumi's postgresql provider cannot state in a database, as JSON",
  ({ roles }, environment) =>
    withClient(connectionFromEnvironment(environment), async (client) => {
      await client.query(`BEGIN READ ONLY; ${catalogSettings}`);
      return readProviderLimits(client, roles);
    }),
);

const providerMemberships = queryCommand<Membership[]>(
  "provider-memberships",
  "gives memberships back that Pulumi's postgresql provider has revoked; prints the statements that ran, as JSON",
  (before, environment) => restoreMemberships(connectionFromEnvironment(environment), before),
);

const rightsPasswords = queryCommand<{ verifiers: Readonly<Record<string, string>> }>(
  "rights-passwords",
  "which roles' passwords somebody has changed on the server, a warning each, as JSON",
  ({ verifiers }, environment) =>
    withClient(connectionFromEnvironment(environment), async (client) => {
      const changed = await readChangedPasswords(client, verifiers);
      return changed.map((role) => `The password of role "${role}" is not the stack's: ${passwordAdvice}.`);
    }),
);

interface Request {
  readonly settings: VerifiedRole;
  /** PG* variables that lead to the database as the role. */
  readonly environment: Readonly<Record<string, string>>;
}

const rolesProbe = queryCommand<Request[]>(
  "roles-probe",
  "verifies several roles one after the other, by a connection of each; prints what could not be tried",
  async (request) => {
    let objects: ReturnType<typeof readProbed> | undefined;
    const read: typeof readProbed = (client) => (objects ??= readProbed(client));
    const [warnings, faults]: [string[], string[]] = [[], []];
    for (const { settings, environment } of request)
      await verifyRole(
        connectionFromEnvironment(environment),
        settings,
        (line) => warnings.push(line),
        read,
      ).catch((error: unknown) => {
        if (!(error instanceof UserError)) throw error;
        faults.push(error.message);
      });
    if (faults.length > 0) throw new UserError(faults.join("\n"));
    return warnings;
  },
);

const roleDrop: Command = {
  summary: "prepares DROP ROLE: gives what the role owns to the database's owner and revokes its privileges",
  usage: "role-retire < declaration",
  flags: {},
  run: async ({ env, stdin, log }) => {
    const { role, owner } = parseRequest(RoleDrop, await stdin(), "a role that is to be dropped");
    const found = await withClient(connectionFromEnvironment(env), (client) =>
      withMovedOpen(client, () => prepareRoleDrop(client, role, owner)),
    );
    if (found) log(`Role "${role}": what it owned is "${owner}"'s now`);
    return ExitCode.done;
  },
};

const roleLeave: Command = {
  summary: "revokes what a role that other databases share has in this one",
  usage: "role-leave < declaration",
  flags: {},
  run: async ({ env, stdin, log }) => {
    const { role } = parseRequest(RoleDrop, await stdin(), "a role that this database shares no more");
    const found = await withClient(connectionFromEnvironment(env), (client) =>
      withMovedOpen(client, () => revokeRole(client, role)),
    );
    if (found) log(`Role "${role}" has no rights here any more`);
    return ExitCode.done;
  },
};

const roleProbe: Command = {
  summary: "verifies, connected as a role, what it can do and cannot",
  usage: "role-probe < declaration",
  flags: {},
  run: async ({ env, stdin, print, log }) => {
    const settings = parseRequest(VerifiedRole, await stdin(), "a role that is to be verified");
    const result = await verifyRole(connectionFromEnvironment(env), settings, log);
    print(JSON.stringify({ ...result, at: Date.now() }));
    return ExitCode.done;
  },
};

/** By the name that a resource calls it by. */
export const commands = {
  "role-grants": roleGrants,
  "password-generate": passwordGenerate,
  "rights-check": rightsCheck,
  "provider-check": providerCheck,
  "rights-limits": rightsLimits,
  "provider-memberships": providerMemberships,
  "rights-passwords": rightsPasswords,
  "roles-probe": rolesProbe,
  "role-retire": roleDrop,
  "role-leave": roleLeave,
  "role-probe": roleProbe,
} satisfies Record<string, Command>;
