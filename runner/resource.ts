/**
 * What the last run of a resource's command printed (`addPreviousOutputInEnv`), or undefined at the first run and
 * where it is no JSON.
 */
export function previousOutput<Result>(env: NodeJS.ProcessEnv): Result | undefined {
  try {
    return JSON.parse(env.PULUMI_COMMAND_STDOUT ?? "") as Result;
  } catch {
    return undefined;
  }
}
