import { local } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import type { Roles } from "./roles.ts";

export interface RoleGrantsArgs {
  readonly roles: Roles;
  /** Changes when objects may have come or been replaced: the migrations' head, a restore's epoch. */
  readonly epoch: pulumi.Input<string>;
  /** What makes the objects: migrations, a restore. */
  readonly after: readonly pulumi.Resource[];
}

/**
 * Each role's rights on the objects that exist, and its default privileges again, since a restore that replaces
 * schemas drops them. Made after the migrations, and again whenever `epoch` changes.
 */
export class RoleGrants extends pulumi.ComponentResource {
  constructor(name: string, args: RoleGrantsArgs, opts: pulumi.ComponentResourceOptions = {}) {
    super("pgstack:index:RoleGrants", name, {}, opts);
    const { config } = args.roles.target;
    const publicDeclaration = { owner: config.owner, creators: args.roles.creators };
    let before = this.#grant("public", "public-grants", publicDeclaration, args, args.after);
    for (const declaration of args.roles.declarations)
      before = this.#grant(declaration.role, "role-grants", declaration, args, [before]);
    this.registerOutputs({});
  }

  #grant(
    grantee: string,
    verb: string,
    declaration: object,
    { roles, epoch }: RoleGrantsArgs,
    after: readonly pulumi.Resource[],
  ): pulumi.Resource {
    const { admin, database } = roles.target;
    return new local.Command(
      `${grantee}-grants`,
      {
        create: `node runner/main.ts ${verb}`,
        stdin: pulumi.jsonStringify({ ...declaration, epoch }),
        environment: admin,
        logging: "stderr",
      },
      { parent: this, deletedWith: database, dependsOn: [roles, ...after] },
    );
  }
}
