import { setTimeout as sleep } from "node:timers/promises";
import { isStoppedLocalCluster } from "../cluster.ts";

/** A server's place: a host name, an address, or the absolute path of a socket directory. */
interface ServerPlace {
  readonly host: string;
  readonly port: number;
}

const startingMs = 60_000;
const absentMs = 15_000;
const lookAgainMs = 200;
const sayAfterMs = 1_000;

/** How long a failure to connect is worth waiting for, in milliseconds. Failures of other kinds do not pass by themselves. */
function patienceMs(error: unknown, { host, port }: ServerPlace): number {
  const { code } = error as { code?: string };
  if (code === "57P03") return startingMs; // cannot_connect_now: it starts, recovers or shuts down
  if (code === "ECONNREFUSED") return isStoppedLocalCluster(host, port) ? 0 : absentMs; // only `up` starts that one
  return code === "ENOENT" && host.startsWith("/") ? absentMs : 0;
}

/** Servers that were waited for in vain: the next connection of this process to one of them fails at once. */
const givenUp = new Set<string>();

function reasonOf(error: unknown): string {
  const { message, code } = error as { message: string; code?: string };
  return message || code || "no answer";
}

/**
 * Connects, and waits for a server that is starting up (60 seconds at most) or does not listen yet (15 seconds), as one does that was
 * started a moment ago. Says on standard error what is waited for.
 */
export async function waitingForServer<T>(server: ServerPlace, connect: () => Promise<T>): Promise<T> {
  const [place, began] = [`${server.host}:${server.port}`, Date.now()];
  for (let said = false; ; await sleep(lookAgainMs)) {
    try {
      const connected = await connect();
      givenUp.delete(place);
      return connected;
    } catch (error) {
      const [patience, waited] = [patienceMs(error, server), Date.now() - began];
      if (patience > 0 && waited >= patience) givenUp.add(place);
      if (patience === 0 || givenUp.has(place)) throw error;
      if (said || waited < sayAfterMs) continue;
      // Every command connects here, and none of them prints: the notice has to reach people whichever it is.
      process.stderr.write(
        `waiting for the server on ${place}, at most ${patience / 1000} s: ${reasonOf(error)}\n`,
      );
      said = true;
    }
  }
}
