import type { Socket } from "node:net";
import { take } from "./sockets.ts";

/** Where a client wants to be led. */
export interface Destination {
  readonly host: string;
  readonly port: number;
}

/** Who may use the proxy. */
export interface SocksLogin {
  readonly user: string;
  readonly password: string;
}

// https://www.rfc-editor.org/rfc/rfc1928 and, for the login, https://www.rfc-editor.org/rfc/rfc1929
const version = 5;
const byPassword = 2;
const noMethod = 0xff;
const connectCommand = 1;
const succeeded = 0;
export const connectionRefused = 5;
const commandNotSupported = 7;

async function takeByte(socket: Socket): Promise<number> {
  return (await take(socket, 1))[0] as number;
}

/** A text with its length before it. */
async function takeText(socket: Socket): Promise<string> {
  const length = await takeByte(socket);
  return length === 0 ? "" : (await take(socket, length)).toString("utf8");
}

async function logIn(socket: Socket, login: SocksLogin): Promise<void> {
  if ((await takeByte(socket)) !== version) throw new Error("the client speaks no SOCKS 5");
  const methods = await take(socket, await takeByte(socket));
  if (!methods.includes(byPassword)) {
    socket.end(Buffer.from([version, noMethod]));
    throw new Error("the client offers no login");
  }
  socket.write(Buffer.from([version, byPassword]));
  await takeByte(socket);
  const [user, password] = [await takeText(socket), await takeText(socket)];
  const isKnown = user === login.user && password === login.password;
  socket.write(Buffer.from([1, isKnown ? 0 : 1]));
  if (!isKnown) throw new Error("the client's login is wrong");
}

function ipv6Text(bytes: Buffer): string {
  return Array.from({ length: 8 }, (_, at) => bytes.readUInt16BE(at * 2).toString(16)).join(":");
}

async function takeHost(socket: Socket): Promise<string> {
  const kind = await takeByte(socket);
  if (kind === 1) return (await take(socket, 4)).join(".");
  return kind === 4 ? ipv6Text(await take(socket, 16)) : takeText(socket);
}

/** Says whether the connection stands; a code of RFC 1928 where it does not. */
export function answer(socket: Socket, code = succeeded): void {
  socket.write(Buffer.from([version, code, 0, 1, 0, 0, 0, 0, 0, 0]));
}

/**
 * Reads what a client of a SOCKS 5 proxy asks for; the caller answers. Throws where the client asks for something else than a
 * connection, or does not log in.
 */
export async function readDestination(socket: Socket, login: SocksLogin): Promise<Destination> {
  await logIn(socket, login);
  const [, command] = await take(socket, 3);
  const host = await takeHost(socket);
  const port = (await take(socket, 2)).readUInt16BE();
  if (command === connectCommand) return { host, port };
  answer(socket, commandNotSupported);
  throw new Error("the client asks for something else than a connection");
}
