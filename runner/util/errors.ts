/** What a program ends with: 0 done, 1 failed, 2 refused (wrong input, or a named flag is needed), 3 differences or work pending. */
export const ExitCode = { done: 0, failed: 1, refused: 2, differs: 3 } as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/**
 * A fault that a person can mend: wrong input, a refusal, a server that says no. It prints without a stack;
 * every other error is a bug of ours and prints with one. The message says what was expected, what was found
 * and how to get past it, and never holds a secret.
 */
export class UserError extends Error {
  readonly exitCode: ExitCode;

  constructor(message: string, options: { exitCode?: ExitCode; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "UserError";
    this.exitCode = options.exitCode ?? ExitCode.failed;
  }
}

/** Wrong input, or a step that needs a named flag: exit code 2. */
export class RefusedError extends UserError {
  constructor(message: string, options: { cause?: unknown } = {}) {
    super(message, { ...options, exitCode: ExitCode.refused });
    this.name = "RefusedError";
  }
}
