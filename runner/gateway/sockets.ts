import type { AddressInfo, Server } from "node:net";
import type { Duplex } from "node:stream";
import { pipeline } from "node:stream";
import { loopback } from "../util/routes.ts";

/** Hands on what each of two connections says to the other. Where one ends or fails, both end. */
export function joinSockets(one: Duplex, other: Duplex): void {
  const end = () => {
    one.destroy();
    other.destroy();
  };
  pipeline(one, other, end);
  pipeline(other, one, end);
}

/** Takes connections on a free port of loopback, which is returned. The process does not wait for the end of that. */
export async function listenOnLoopback(server: Server): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, loopback, resolve);
  });
  server.unref();
  return (server.address() as AddressInfo).port;
}

/** The next bytes of a connection that nobody reads yet. Throws where it ends before. */
export async function take(socket: Duplex, bytes: number): Promise<Buffer> {
  for (;;) {
    const chunk = socket.read(bytes) as Buffer | null;
    if (chunk?.length === bytes) return chunk;
    if (socket.readableEnded || socket.destroyed)
      throw new Error("the connection ended in the middle of a message");
    await new Promise<void>((resolve) => {
      const wake = () => {
        socket.off("readable", wake).off("close", wake);
        resolve();
      };
      socket.on("readable", wake).on("close", wake);
    });
  }
}
