import { local } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";

/** Variables of a command's environment. */
export type Variables = Readonly<Record<string, pulumi.Input<string>>>;

/** A way to the server. Another password or address is no reason to run a command again. */
export interface Connection {
  /** PG* variables, and what else is a secret. */
  readonly variables: Variables;
  /** Variables that lead a command to these variables, as the last update knew them. */
  readonly reference: () => Variables;
}

/** A cutover that waits for other resources' commands, and is rolled back where one of them fails. */
export interface Rollback {
  /** The cutover's settings, as JSON. */
  readonly settings: pulumi.Input<string>;
  /** What the cutover's own commands take. */
  readonly connection: Connection;
}

export interface RunnerCommandArgs {
  /** The runner's command that is run when the resource is made, and again when an input changes: it has to be safe to repeat. */
  readonly ensure?: string;
  /** The runner's command that is run when the resource goes, with the inputs that the state holds. */
  readonly remove?: string;
  /** What both commands read on standard input, as JSON. */
  readonly request: pulumi.Input<string>;
  /** What leads to the database. */
  readonly connection?: Connection;
  /** Further variables, which count as inputs. */
  readonly environment?: Variables;
  /** Rolls a cutover back where `ensure` fails. */
  readonly rollback?: Rollback | undefined;
  /** The result is a secret, and nothing of it is shown. */
  readonly secret?: true;
  /** Another request alone runs `ensure` again, since each run has another result: no other word of the command line does. */
  readonly onlyForRequest?: true;
}

/**
 * The command line of a runner's command: the same text from every checkout and for every package manager, since the state
 * keeps it. Node looks for the package from the folder in which the command plugin runs, which is the program's.
 */
function commandLine(command: string): string {
  return `node -e "import('pgstack/run')" ${command}`;
}

function requestOf({ request, rollback }: RunnerCommandArgs): pulumi.Input<string> {
  return rollback === undefined ? request : pulumi.jsonStringify({ cutover: rollback.settings, request }); // both may be long, which a variable must not be
}

function environmentOf({ connection, environment, rollback }: RunnerCommandArgs): Variables | undefined {
  if (connection === undefined) return environment;
  const { PGSTACK_CONNECTION: PGSTACK_CUTOVER } = rollback?.connection.reference() ?? {};
  return {
    ...environment,
    ...connection.variables,
    ...connection.reference(),
    ...(PGSTACK_CUTOVER !== undefined && { PGSTACK_CUTOVER }),
  };
}

/** What is stored with the resource and never compared. */
function ignoredBy({ connection, onlyForRequest }: RunnerCommandArgs): string[] {
  return [
    ...Object.keys(connection?.variables ?? {}).map((name) => `environment.${name}`),
    ...(onlyForRequest ? ["create", "update", "delete", "logging", "addPreviousOutputInEnv"] : []),
  ];
}

function inputsOf(args: RunnerCommandArgs): local.CommandArgs {
  const { ensure, remove, rollback, secret } = args;
  const ensured = ensure && commandLine(rollback === undefined ? ensure : `cutover-or-back ${ensure}`);
  const environment = environmentOf(args);
  return {
    ...(ensured && { create: ensured, update: ensured }),
    ...(remove && { delete: commandLine(remove) }),
    stdin: requestOf(args),
    ...(environment && { environment }),
    logging: secret ? "none" : "stderr",
    addPreviousOutputInEnv: false, // else a long result is more than an environment holds
  };
}

/** A resource whose life is told by commands of the runner: the only way in which a component changes a database itself. */
export class RunnerCommand extends local.Command {
  constructor(name: string, args: RunnerCommandArgs, options: pulumi.CustomResourceOptions) {
    super(name, inputsOf(args), {
      ...options,
      ignoreChanges: [...(options.ignoreChanges ?? []), ...ignoredBy(args)],
      ...(args.secret && { additionalSecretOutputs: ["stdout"] }),
    });
  }

  /** The result that the last run printed, read from its JSON. */
  result<Result>(): pulumi.Output<Result> {
    return this.stdout.apply((json) => JSON.parse(json) as Result);
  }
}
