import { local } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { connectionEnvironment } from "./connection.ts";
import type { Roles, StackRole } from "./roles.ts";
import { runner } from "./runner.ts";

export interface RoleGrantsArgs {
  readonly roles: Roles;
  /** Changes when objects may have come or been replaced: the migrations' head, a restore's epoch. */
  readonly epoch: pulumi.Input<string>;
  /** What makes the objects: migrations, a restore. */
  readonly after: readonly pulumi.Input<pulumi.Resource>[];
}

/**
 * Each role's rights on the objects that exist, its default privileges again (a restore that replaces schemas drops
 * them), and the proof: a probe that tries, connected as the role, what it can do and cannot. Made after the
 * migrations, and again whenever `epoch` changes.
 */
export class RoleGrants extends pulumi.ComponentResource {
  readonly #args: RoleGrantsArgs;

  constructor(name: string, args: RoleGrantsArgs, opts: pulumi.ComponentResourceOptions = {}) {
    super("pgstack:index:RoleGrants", name, {}, opts);
    this.#args = args;
    const { roles, after } = args;
    const publicDeclaration = { owner: roles.target.config.owner, creators: roles.creators };
    let before = this.#grant("public", runner("public-grants"), publicDeclaration, after);
    for (const { declaration } of roles.all)
      before = this.#grant(declaration.role, runner("role-grants"), declaration, [before]);
    for (const role of roles.all) this.#probe(role, before);
    this.registerOutputs({});
  }

  #grant(
    grantee: string,
    create: string,
    declaration: object,
    after: readonly pulumi.Input<pulumi.Resource>[],
  ) {
    const { roles, epoch } = this.#args;
    return new local.Command(
      `${grantee}-grants`,
      {
        create,
        stdin: pulumi.jsonStringify({ ...declaration, epoch }),
        environment: roles.admin,
        logging: "stderr",
      },
      { parent: this, deletedWith: roles.target.database, dependsOn: [roles, ...after] },
    );
  }

  #probe({ config, declaration, password }: StackRole, after: pulumi.Resource): void {
    const { roles, epoch } = this.#args;
    const { administrator, config: database, database: resource } = roles.target;
    const { memberOf, validUntil } = config;
    const login = { user: config.name, database: database.name };
    new local.Command(
      `${config.name}-probe`,
      {
        create: runner("role-probe"),
        stdin: pulumi.jsonStringify({
          ...declaration,
          memberOf,
          validUntil,
          byAdmin: password === undefined,
          epoch,
        }),
        environment:
          password === undefined ? roles.admin : connectionEnvironment(administrator, { ...login, password }),
        logging: "stderr",
      },
      { parent: this, deletedWith: resource, dependsOn: [after] },
    );
  }
}
