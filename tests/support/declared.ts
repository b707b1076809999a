import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import * as pulumi from "@pulumi/pulumi";

/** A resource as the program declares it. */
export interface Declared {
  readonly type: string;
  readonly name: string;
  readonly inputs: Readonly<Record<string, unknown>>;
  readonly options: pulumi.CustomResourceOptions;
  /** Names of what it depends on. */
  readonly dependsOn: readonly string[];
}

export interface Scenario {
  /** Keys of the namespace `pgstack`. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly preview: boolean;
  /** Outputs of the last update. */
  readonly outputs?: Readonly<Record<string, unknown>>;
  /** What Commands print, by the runner's command; without it, a preview does not know. */
  readonly results?: Readonly<Record<string, object>>;
}

const secretMark = "4dabf18193072939515e22adb298388d";
let runs = 0;

/** Whether an input, as it goes to the engine, is a secret. */
export function isSecret(input: unknown): boolean {
  return typeof input === "object" && input !== null && secretMark in input;
}

async function namesOf({ dependsOn }: pulumi.CustomResourceOptions): Promise<string[]> {
  const given = pulumi.output(dependsOn) as unknown as { promise(): Promise<unknown> };
  const resources = [(await given.promise()) ?? []].flat();
  return resources.map((resource) => (resource as { __name?: string }).__name ?? "");
}

function resultOf(inputs: Record<string, unknown>, { results = {} }: Scenario): object {
  const command =
    String(inputs.create ?? "")
      .split(" ")
      .at(-1) ?? "";
  const result = results[command];
  return result === undefined ? {} : { stdout: JSON.stringify(result) };
}

/** Pulumi's SDK waits for its own messages so; its types leave it out. */
const rpcs = pulumi.runtime as unknown as { waitForRPCs(): Promise<void> };

/** What waits for answers is declared after the outputs are known. */
async function untilQuiet(count: () => number): Promise<void> {
  for (let before = -1; before !== count(); ) {
    before = count();
    await rpcs.waitForRPCs();
    await sleep(300);
  }
}

/** Runs index.ts with Pulumi's mocks in place of an engine, and gives what it declares, in order. */
export async function declare(scenario: Scenario): Promise<Declared[]> {
  delete process.env.CI; // there an unreachable server is an error, and these programs have none
  const declared: (Omit<Declared, "dependsOn"> & { readonly dependsOn: Promise<string[]> })[] = [];
  const options = new Map<string, pulumi.CustomResourceOptions>();
  await pulumi.runtime.setMocks(
    {
      newResource: ({ type, name, inputs }) => {
        const given = options.get(`${type} ${name}`) ?? {};
        declared.push({ type, name, inputs, options: given, dependsOn: namesOf(given) });
        const id = scenario.preview && scenario.outputs === undefined ? undefined : `${name}-id`;
        return { id, state: { ...inputs, ...resultOf(inputs, scenario) } };
      },
      call: ({ token }) =>
        token.endsWith("readStackOutputs") ? { outputs: scenario.outputs ?? {} } : { outputs: {} },
    },
    "pgstack",
    "unit",
    scenario.preview,
    "organization",
  );
  const keys = Object.entries(scenario.config).map(([key, value]) => [
    `pgstack:${key}`,
    typeof value === "string" ? value : JSON.stringify(value),
  ]);
  pulumi.runtime.setAllConfig(Object.fromEntries(keys));
  const index = fileURLToPath(new URL("../../index.ts", import.meta.url));
  await pulumi.runtime.runInPulumiStack(async () => {
    pulumi.runtime.registerStackTransformation(({ type, name, opts }) => {
      options.set(`${type} ${name}`, opts);
      return undefined;
    });
    return { ...(await import(`${index}?${++runs}`)) };
  });
  await untilQuiet(() => declared.length);
  return Promise.all(declared.map(async ({ dependsOn, ...one }) => ({ ...one, dependsOn: await dependsOn })));
}
