import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { delimiter, join } from "node:path";
import { createInterface } from "node:readline";
import { freePort } from "../../runner/postgres/cluster.ts";

/** A real sshd on a free port, into which this user may log in by a key of the test's. */
export interface SshServer extends AsyncDisposable {
  /** As `instance.via` takes it. */
  readonly via: { ssh: string; port: number; identityFile: string; knownHostsFile: string };
  /** A known_hosts file that knows another key of this host. */
  readonly strangeHostsFile: string;
  /** How many connections were led on so far. */
  readonly channels: () => number;
  readonly close: () => Promise<void>;
}

const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/usr/local/sbin"];
const sshd = folders.map((folder) => join(folder, "sshd")).find((path) => existsSync(path));
const ssh = folders.map((folder) => join(folder, "ssh")).find((path) => existsSync(path));

/** Why the tests of tunnels cannot run here; false where they can. */
export const withoutSsh: string | false =
  sshd !== undefined && ssh !== undefined ? false : "ssh and sshd are not installed (Debian: openssh-server)";

function makeKey(path: string): string {
  execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", path]);
  return readFileSync(`${path}.pub`, "utf8").split(" ").slice(0, 2).join(" ");
}

function settings(directory: string, port: number): string {
  return [
    `ListenAddress 127.0.0.1:${port}`,
    `HostKey "${join(directory, "host")}"`,
    `AuthorizedKeysFile "${join(directory, "authorized")}"`,
    ...["StrictModes no", "UsePAM no", "PidFile none", "PermitRootLogin yes", "PasswordAuthentication no"],
    ...["KbdInteractiveAuthentication no", "AllowTcpForwarding yes", "MaxSessions 0", "LogLevel DEBUG1"],
  ].join("\n");
}

/** Starts sshd and waits until it listens. */
export async function startSshServer(): Promise<SshServer> {
  const directory = mkdtempSync(join(tmpdir(), "pgstack-sshd-"));
  const file = (name: string) => join(directory, name);
  const port = await freePort();
  const hostKey = makeKey(file("host"));
  writeFileSync(file("authorized"), `${makeKey(file("client"))}\n`);
  writeFileSync(file("known_hosts"), `[127.0.0.1]:${port} ${hostKey}\n`);
  writeFileSync(file("strange_hosts"), `[127.0.0.1]:${port} ${makeKey(file("other"))}\n`);
  writeFileSync(file("sshd_config"), settings(directory, port));
  if (userInfo().uid === 0) mkdirSync("/run/sshd", { recursive: true }); // its privilege separation wants that folder
  const child = spawn(sshd as string, ["-D", "-e", "-f", file("sshd_config")], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let channels = 0;
  await new Promise<void>((resolve, reject) => {
    createInterface({ input: child.stderr }).on("line", (line) => {
      if (line.includes("Server listening on")) resolve();
      if (line.includes("server_request_direct_tcpip")) channels += 1;
    });
    child.once("close", () => reject(new Error("sshd ended at once")));
  });
  const close = async () => {
    await end(child);
    rmSync(directory, { recursive: true, force: true });
  };
  return {
    via: {
      ssh: `${userInfo().username}@127.0.0.1`,
      port,
      identityFile: file("client"),
      knownHostsFile: file("known_hosts"),
    },
    strangeHostsFile: file("strange_hosts"),
    channels: () => channels,
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGTERM");
  await once(child, "close");
}
