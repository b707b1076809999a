import { existsSync, readFileSync } from "node:fs";
import * as v from "valibot";
import { parse } from "yaml";
import type { StackFacts } from "../../runner/cli/command.ts";
import { readStackName, type StackName } from "../../runner/cli/stack-name.ts";
import { AdminAuth, Instance, type SshVia } from "../../runner/config/instance.ts";
import { type Gateway, type GuardedServer, openGateway, openRoutes } from "../../runner/gateway/gateway.ts";
import type { ConnectionSettings } from "../../runner/postgres/connection.ts";
import { keepCertificate } from "../../runner/util/certificate.ts";
import { projectPath } from "../../runner/util/project.ts";
import { type Project, stackFileOf } from "../project.ts";
import { openPulumi, type Pulumi } from "../pulumi/pulumi.ts";
import { readFacts } from "./stack.ts";

type Log = (line: string) => void;

/** A stack's keys in its file. */
function configOf(project: Project, name: StackName): Readonly<Record<string, unknown>> {
  const file = stackFileOf(project, name);
  if (!existsSync(file)) return {};
  const { config } = (parse(readFileSync(file, "utf8")) ?? {}) as { config?: Record<string, unknown> };
  return config ?? {};
}

/** The file with the authorities to trust, wherever the caller stands. */
function authorities(given: string | undefined): string | undefined {
  return given === undefined || given === "system" ? given : projectPath(keepCertificate(given));
}

/** The server that a stack's file names; none where the file has a fault, which the program reports with all others. */
function declaredServer(config: Readonly<Record<string, unknown>>): GuardedServer[] {
  const instance = v.safeParse(Instance, config["pgstack:instance"]);
  const auth = v.safeParse(v.optional(AdminAuth), config["pgstack:adminAuth"]);
  if (!instance.success || !auth.success || instance.output.kind === "local") return [];
  const { host, port, adminUser: user, adminDatabase: database, sslMode, via } = instance.output;
  const sslRootCert = authorities(instance.output.sslRootCert);
  const passwordCommand = auth.output?.command;
  return [{ administrator: { host, port, user, database, sslMode, sslRootCert, passwordCommand }, via }];
}

/** An administrator as a stack's outputs hold it. */
type AdministratorOutput = ConnectionSettings & { readonly via?: SshVia };

function serversOf(...outputs: readonly unknown[]): GuardedServer[] {
  return (outputs as (AdministratorOutput | null | undefined)[]).flatMap((administrator) =>
    administrator == null ? [] : [{ administrator, via: administrator.via }],
  );
}

/** The server of the stack that a cutover moves here. */
async function sourceServer(
  project: Project,
  config: Readonly<Record<string, unknown>>,
): Promise<GuardedServer[]> {
  const cutover = config["pgstack:cutover"] as { from?: unknown } | null | undefined;
  if (typeof cutover?.from !== "string") return [];
  const facts = await readFacts(openPulumi(project), readStackName(cutover.from)).catch(() => undefined);
  return serversOf(facts?.outputs.admin); // without it the program says what is missing
}

/** Lends Pulumi on a stack whose servers its processes can reach: tunnels and token logins stand meanwhile. */
export async function withPulumi<T>(
  project: Project,
  name: StackName,
  log: Log,
  use: (pulumi: Pulumi) => Promise<T>,
): Promise<T> {
  const config = configOf(project, name);
  const servers = [...declaredServer(config), ...(await sourceServer(project, config))];
  await using gateway: Gateway = await openGateway(servers, log);
  return await use(openPulumi(project, gateway.environment));
}

/** Opens the tunnels to the servers of a stack that was looked up. */
export function openTunnelsOf({ outputs }: StackFacts, log: Log): Promise<Gateway> {
  return openRoutes(serversOf(outputs.admin, outputs.cutoverSource), log);
}
