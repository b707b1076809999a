import * as pulumi from "@pulumi/pulumi";

export interface ProtectionArgs {
  /** Whether the stack is protected. */
  readonly protect: boolean;
  /** All that it stands before. */
  readonly before: readonly pulumi.Resource[];
  /** The migrations' records, which are known later. */
  readonly records: Promise<readonly pulumi.Resource[]> | undefined;
}

/**
 * What goes first when a stack is destroyed, since it depends on all the rest: protected, it refuses before anything is
 * gone. (A protected database alone refuses last, when the roles that depend on it and their passwords are lost.)
 */
export class Protection extends pulumi.ComponentResource {
  constructor(
    name: string,
    { protect, before, records }: ProtectionArgs,
    options: pulumi.ComponentResourceOptions = {},
  ) {
    const dependsOn = Promise.resolve(records ?? []).then((records) => [...before, ...records]);
    super("pgstack:index:Protection", name, {}, { ...options, protect, dependsOn });
    this.registerOutputs({});
  }
}
