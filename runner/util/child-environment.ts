/** Variables of the system that every program may see. */
const system = new Set([
  ...["PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "TEMP", "TMP", "TZ", "TERM", "SYSTEMROOT"],
  ...["LANG", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR"],
]);

function keep(env: NodeJS.ProcessEnv, wanted: (name: string) => boolean): Record<string, string> {
  const entries = Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return Object.fromEntries(entries.filter(([name]) => wanted(name)));
}

/**
 * The environment of a program that pgstack starts (postgres, initdb, pg_dump, psql …): what any program needs of
 * the system, and `own`. Credentials of clouds, Pulumi's passphrase, stacks' secrets and the user's `PG*` variables stay
 * behind, so that each child connects only where this run has decided.
 */
export function childEnvironment(
  own: Readonly<Record<string, string>> = {},
  env: NodeJS.ProcessEnv = process.env,
): Record<string, string> {
  return { ...keep(env, (name) => system.has(name) || name.startsWith("LC_")), ...own };
}

/**
 * The environment of a command that the user wrote (the models' command, `adminAuth.command`), and of ssh, whose configuration may
 * start others: what the user's shell has, less everything of pgstack's and Pulumi's and every connection, so that it sees no
 * secret of a stack.
 */
export function userCommandEnvironment(env: NodeJS.ProcessEnv = process.env): Record<string, string> {
  const isOurs = (name: string) =>
    /^(PGSTACK|PULUMI|PG[A-Z]+$)/.test(name) ||
    (/^all_proxy$/i.test(name) && env[name] === env.PGSTACK_PROXY);
  return keep(env, (name) => !isOurs(name));
}
