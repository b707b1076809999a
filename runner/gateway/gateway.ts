import { randomBytes } from "node:crypto";
import { BlockList, connect, createServer, isIP, type Socket } from "node:net";
import type { SshVia } from "../config/instance.ts";
import type { ConnectionSettings } from "../postgres/connection.ts";
import { loopback, proxyVariable, type Route, routesVariable, routeTo } from "../util/routes.ts";
import { joinSockets, listenOnLoopback } from "./sockets.ts";
import { answer, connectionRefused, type Destination, readDestination, type SocksLogin } from "./socks.ts";
import { serveWithLogin } from "./token-login.ts";
import { openTunnel, type Tunnel } from "./tunnel.ts";

/** A server, and what it takes to reach it beside its address. */
export interface GuardedServer {
  /** The administrator on any database. */
  readonly administrator: ConnectionSettings;
  readonly via: SshVia | undefined;
}

/** What leads the processes of a run to its servers. It is gone after `close`, and when this process ends. */
export interface Gateway extends AsyncDisposable {
  /** Variables for these processes. */
  readonly environment: Readonly<Record<string, string>>;
  readonly close: () => Promise<void>;
}

type Log = (line: string) => void;

const needsProxy = ({ administrator, via }: GuardedServer) =>
  via !== undefined || administrator.passwordCommand !== undefined;

/** Opens a tunnel to each server that has one; none stays open where one fails. */
async function openTunnels(servers: readonly GuardedServer[], log: Log): Promise<readonly Tunnel[]> {
  const opening = servers.flatMap(({ administrator: { host, port }, via }) =>
    via === undefined ? [] : [openTunnel(via, { host, port }, log)],
  );
  const settled = await Promise.allSettled(opening);
  const failed = settled.find((one) => one.status === "rejected");
  const tunnels = settled.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
  if (failed === undefined) return tunnels;
  await Promise.all(tunnels.map(({ close }) => close()));
  throw failed.reason;
}

/** Leads a client of the proxy to its destination: by the route of this run, or directly. */
function lead(client: Socket, { host, port }: Destination): void {
  const route = routeTo({ host, port });
  const server = route === undefined ? connect(port, host) : connect(route.localPort, loopback);
  const refuse = () => {
    answer(client, connectionRefused);
    client.end();
  };
  server.once("error", refuse);
  server.once("connect", () => {
    server.off("error", refuse);
    answer(client);
    joinSockets(client, server);
  });
}

async function serve(client: Socket, login: SocksLogin, servers: readonly GuardedServer[]): Promise<void> {
  const destination = await readDestination(client, login);
  const meant = servers.find(
    ({ administrator: { host, port, passwordCommand } }) =>
      passwordCommand !== undefined && host === destination.host && port === destination.port,
  );
  if (meant === undefined) return lead(client, destination);
  answer(client);
  await serveWithLogin(client, meant.administrator);
}

/** Whether a word of NO_PROXY, as Go reads it (host, *.zone, address, network), excludes a host. */
function excludes(word: string, host: string): boolean {
  const [network = "", bits] = word.split("/");
  if (word === host || (word.startsWith("*.") && host.endsWith(word.slice(1)))) return true;
  if (bits === undefined || isIP(host) === 0 || isIP(network) !== isIP(host)) return false;
  const family = isIP(host) === 4 ? "ipv4" : "ipv6";
  const list = new BlockList();
  list.addSubnet(network, Number(bits), family);
  return list.check(host, family);
}

/** Go's programs pass the proxy over for these hosts, which the run's servers must not be among. */
function noProxy(servers: readonly GuardedServer[]): Record<string, string> {
  const present = Object.entries(process.env).filter(([name]) => name === "NO_PROXY" || name === "no_proxy");
  const kept = (text: string) =>
    text
      .split(",")
      .filter((word) => !servers.some(({ administrator: { host } }) => excludes(word.trim(), host)));
  return Object.fromEntries(present.map(([name, text = ""]) => [name, kept(text).join(",")]));
}

/**
 * The provider's official plugin and the one of `toolchain/` connect by the proxy that ALL_PROXY names, and still verify the
 * server's name; so no input of the provider says where this run's proxy is.
 * https://registry.terraform.io/providers/cyrilgdn/postgresql/latest/docs#socks5-proxy-support
 */
async function openProxy(servers: readonly GuardedServer[]): Promise<Gateway> {
  const login: SocksLogin = { user: "pgstack", password: randomBytes(24).toString("hex") };
  const clients = new Set<Socket>();
  const proxy = createServer((client) => {
    clients.add(client);
    client.once("close", () => clients.delete(client)).on("error", () => client.destroy());
    serve(client, login, servers).catch(() => client.destroy());
  });
  const port = await listenOnLoopback(proxy);
  const close = async () => {
    proxy.close();
    for (const client of clients) client.destroy();
  };
  const address = `socks5://${login.user}:${login.password}@${loopback}:${port}`;
  const environment = {
    ALL_PROXY: address,
    all_proxy: address,
    [proxyVariable]: address,
    ...noProxy(servers),
  };
  return { environment, close, [Symbol.asyncDispose]: close };
}

function routesOf(tunnels: readonly Tunnel[]): Record<string, string> {
  const routes: Route[] = tunnels.map(({ route }) => route);
  return routes.length === 0 ? {} : { [routesVariable]: JSON.stringify(routes) };
}

/** Opens what leads this process, and those that it starts, to the servers. */
export async function openRoutes(servers: readonly GuardedServer[], log: Log): Promise<Gateway> {
  const tunnels = await openTunnels(servers, log);
  const environment = routesOf(tunnels);
  Object.assign(process.env, environment); // runner/util/routes.ts reads it, here and in the processes started from here
  const close = async () => {
    for (const name of Object.keys(environment)) delete process.env[name];
    await Promise.all(tunnels.map((tunnel) => tunnel.close()));
  };
  return { environment, close, [Symbol.asyncDispose]: close };
}

/** Opens the same, and a proxy for Pulumi's postgresql provider, where a server needs one. Throws UserError as `openTunnel` does. */
export async function openGateway(servers: readonly GuardedServer[], log: Log): Promise<Gateway> {
  const routes = await openRoutes(servers, log);
  if (!servers.some(needsProxy)) return routes;
  const proxy = await openProxy(servers);
  const close = async () => {
    await proxy.close();
    await routes.close();
  };
  return {
    environment: { ...routes.environment, ...proxy.environment },
    close,
    [Symbol.asyncDispose]: close,
  };
}
