import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import type { SshVia } from "../config/instance.ts";
import { userCommandEnvironment } from "../util/child-environment.ts";
import { UserError } from "../util/errors.ts";
import { projectPath } from "../util/project.ts";
import type { Route } from "../util/routes.ts";
import { joinSockets, listenOnLoopback } from "./sockets.ts";

/** A way to one server by ssh. It is gone after `close`, and when this process ends, however it ends. */
export interface Tunnel extends AsyncDisposable {
  readonly route: Route;
  readonly close: () => Promise<void>;
}

/** The server at the far end. */
type FarEnd = Pick<Route, "host" | "port">;

/** ssh itself expands a leading ~. */
const pathOf = (path: string) => (path.startsWith("~") ? path : projectPath(path));

/**
 * Runs ssh until standard input ends. The pipe ends with the process that holds its other end, also where that is killed, so that
 * no ssh outlives its run. Then the folder of its socket is removed.
 */
const guard = `
exec 3<&0
directory=$1
shift
ssh "$@" </dev/null 3<&- &
ssh=$!
{ cat <&3 >/dev/null; kill "$ssh" 2>/dev/null; } &
guard=$!
wait "$ssh"
code=$?
kill "$guard" 2>/dev/null
rm -rf "$directory"
exit "$code"`;

/** Seconds that ssh may take to connect and log in. */
const connectSeconds = 20;

/**
 * Unknown host keys are refused and nothing is asked, whatever the user's configuration says. A connection that others share
 * would outlive the run. A dead connection is noticed after 45 seconds.
 * https://man.openbsd.org/ssh_config
 */
const options = [
  "BatchMode=yes",
  "StrictHostKeyChecking=yes",
  "ExitOnForwardFailure=yes",
  "ControlMaster=no",
  "ControlPath=none",
  "ServerAliveInterval=15",
  "ServerAliveCountMax=3",
  `ConnectTimeout=${connectSeconds}`,
].flatMap((option) => ["-o", option]);

function wordsOf(
  { ssh, port, identityFile, knownHostsFile }: SshVia,
  server: FarEnd,
  socket: string,
): string[] {
  const host = server.host.includes(":") ? `[${server.host}]` : server.host;
  return [
    ...["-N", "-T", "-a", "-x", ...options],
    ...(port === undefined ? [] : ["-p", String(port)]),
    ...(identityFile === undefined ? [] : ["-i", pathOf(identityFile), "-o", "IdentitiesOnly=yes"]),
    ...(knownHostsFile === undefined ? [] : ["-o", `UserKnownHostsFile="${pathOf(knownHostsFile)}"`]),
    ...["-L", `${socket}:${host}:${server.port}`, "--", ssh],
  ];
}

/** Starts ssh apart from the terminal: Ctrl-C is for Pulumi, whose last steps still need the tunnel. */
function startSsh(directory: string, words: readonly string[]): ChildProcess {
  return spawn("sh", ["-c", guard, "pgstack-tunnel", directory, ...words], {
    env: userCommandEnvironment(),
    stdio: ["pipe", "ignore", "pipe"],
    detached: true,
  });
}

/** What ssh says: at first for an error, and once the tunnel is open a line at a time for the log. */
interface SshOutput {
  /** The last lines. */
  readonly said: () => string;
  readonly logFromNow: () => void;
}

function listen(child: ChildProcess, log: (line: string) => void): SshOutput {
  const lines: string[] = [];
  let isOpen = false;
  createInterface({ input: child.stderr as NonNullable<ChildProcess["stderr"]> }).on("line", (line) => {
    lines.push(line.trim().replace(/\.$/, ""));
    if (isOpen) log(`ssh: ${line.trim()}`);
  });
  const logFromNow = () => {
    isOpen = true;
  };
  return { said: () => lines.slice(-2).join("; "), logFromNow };
}

const advice =
  "Expected that ssh logs in there without a question: a host key in known_hosts (ssh-keyscan prints it, compare it first), and a key " +
  "in the agent, or one without a passphrase in identityFile.";

/** Waits for the socket that ssh makes once it is logged in. Throws UserError with what ssh said. */
async function untilOpen(
  child: ChildProcess,
  socket: string,
  via: SshVia,
  said: () => string,
): Promise<void> {
  const ended = new Promise<string>((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("close", (code) => resolve(said() || `exit code ${code}`));
  });
  for (const deadline = Date.now() + (connectSeconds + 10) * 1000; !existsSync(socket); ) {
    const reason = await Promise.race([ended, sleep(20)]);
    if (reason !== undefined || Date.now() > deadline)
      throw new UserError(
        `The tunnel by ssh to ${via.ssh} could not be opened: ${reason ?? "no answer"}. ${advice}`,
      );
  }
}

/** Leads each connection on to the socket of ssh, which the user alone can open. */
function forward(socket: string, open: Set<Socket>): Server {
  return createServer((client) => {
    open.add(client);
    client.once("close", () => open.delete(client));
    joinSockets(client, connect(socket));
  });
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("close", resolve));
  child.stdin?.destroy();
  await ended;
}

/**
 * Opens a tunnel by the system's ssh, with the user's configuration, keys and agent.
 * @param log takes what ssh says
 * @throws UserError with the reason where ssh cannot log in, or does not know the host's key
 */
export async function openTunnel(via: SshVia, server: FarEnd, log: (line: string) => void): Promise<Tunnel> {
  const directory = mkdtempSync(join(tmpdir(), "pgstack-ssh-"));
  const socket = join(directory, "server");
  const child = startSsh(directory, wordsOf(via, server, socket));
  child.stdin?.on("error", () => {}); // it has ended, and said why
  const open = new Set<Socket>();
  let listener: Server | undefined;
  const close = async () => {
    listener?.close();
    for (const client of open) client.destroy();
    await stop(child);
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    const output = listen(child, log);
    await untilOpen(child, socket, via, output.said);
    output.logFromNow();
    listener = forward(socket, open);
    const localPort = await listenOnLoopback(listener);
    return { route: { ...server, localPort }, close, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}
