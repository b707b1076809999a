import { randomInt } from "node:crypto";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import type { ConnectionSettings } from "../../runner/postgres/connection.ts";

/** A pooler in front of a server that trusts its user: each transaction gets a session of the server that is free. */
export interface TransactionPooler extends AsyncDisposable {
  readonly port: number;
}

interface Backend {
  readonly socket: Socket;
  use: Socket | undefined;
}

const message = (type: string, body: Buffer) => {
  const head = Buffer.alloc(5);
  head.write(type);
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
};

/** Calls `each` with every whole message of a stream. */
function cut(socket: Socket, each: (type: string, whole: Buffer) => void): void {
  let rest = Buffer.alloc(0);
  socket.on("data", (data) => {
    rest = Buffer.concat([rest, data as Buffer]);
    while (rest.length >= 5 && rest.length > rest.readInt32BE(1)) {
      const length = rest.readInt32BE(1) + 1;
      each(String.fromCharCode(rest[0] ?? 0), rest.subarray(0, length));
      rest = rest.subarray(length);
    }
  });
}

function startup({ user, database }: ConnectionSettings): Buffer {
  const body = Buffer.from(`\0\x03\0\0user\0${user}\0database\0${database}\0\0`, "latin1");
  const length = Buffer.alloc(4);
  length.writeInt32BE(body.length + 4);
  return Buffer.concat([length, body]);
}

/** A session of the server; what it answers goes to whoever uses it, who loses it when no transaction is open. */
function openBackend(server: ConnectionSettings): Promise<Backend> {
  return new Promise((resolve) => {
    const socket = connect(server.port, server.host, () => socket.write(startup(server)));
    const backend: Backend = { socket, use: undefined };
    let ready = false;
    cut(socket, (type, whole) => {
      const client = backend.use;
      if (type === "Z" && whole[5] === 73) backend.use = undefined;
      if (ready) client?.write(whole);
      else if (type === "Z") {
        ready = true;
        resolve(backend);
      }
    });
  });
}

function greet(client: Socket): void {
  const key = Buffer.alloc(8);
  key.writeInt32BE(randomInt(1 << 30), 0);
  client.write(
    Buffer.concat([message("R", Buffer.alloc(4)), message("K", key), message("Z", Buffer.from("I"))]),
  );
}

/** Starts the pooler with two sessions of the server. */
export async function startTransactionPooler(server: ConnectionSettings): Promise<TransactionPooler> {
  const backends = await Promise.all([openBackend(server), openBackend(server)]);
  const listener = createServer((client) => {
    client.once("data", () => {
      greet(client);
      cut(client, (type, whole) => {
        if (type === "X") return client.end();
        const own =
          backends.find(({ use }) => use === client) ?? backends.find(({ use }) => use === undefined);
        if (own === undefined) return client.destroy();
        own.use = client;
        own.socket.write(whole);
      });
    });
    client.on("error", () => {});
  });
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  return {
    port: (listener.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      listener.close();
      for (const { socket } of backends) socket.destroy();
    },
  };
}
