import * as v from "valibot";

/** A server that this machine cannot reach by itself, and the port on loopback from which a tunnel leads there. */
export interface Route {
  readonly host: string;
  readonly port: number;
  readonly localPort: number;
}

const Routes = v.array(v.object({ host: v.string(), port: v.number(), localPort: v.number() }));

/** Where every process of a run finds the run's tunnels. A port differs from run to run, so that no state may hold it. */
export const routesVariable = "PGSTACK_ROUTES";

/** Where every process of a run finds the address of the run's proxy, which leads to servers that take no direct connection. */
export const proxyVariable = "PGSTACK_PROXY";

/** Whether this run has what leads to a server that cannot be reached, or logged in to, directly. */
export function hasGateway({
  host,
  port,
  via,
}: Pick<Route, "host" | "port"> & { readonly via?: unknown }): boolean {
  const isReached = via === undefined || routeTo({ host, port }) !== undefined;
  return isReached && Boolean(process.env[proxyVariable]);
}

/** The address at which tunnels listen. */
export const loopback = "127.0.0.1";

/** The route of this run to a server; undefined where it is reached directly. */
export function routeTo(
  { host, port }: Pick<Route, "host" | "port">,
  env: NodeJS.ProcessEnv = process.env,
): Route | undefined {
  const text = env[routesVariable];
  if (!text) return undefined;
  const routes: readonly Route[] = v.parse(Routes, JSON.parse(text));
  return routes.find((route) => route.host === host && route.port === port);
}
