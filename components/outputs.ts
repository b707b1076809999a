import * as pulumi from "@pulumi/pulumi";
import { connectionUrl } from "./connection.ts";
import type { Administrator } from "./instance.ts";

export interface UrlsArgs {
  readonly server: Administrator;
  readonly database: pulumi.Output<string>;
  /** By role, the owner's among them; undefined for one that nobody here knows. Secret. */
  readonly passwords: Readonly<Record<string, pulumi.Output<string> | undefined>>;
}

/** The URLs by which each role reaches the stack's database. Secret. */
export function urlsOf({ server, database, passwords }: UrlsArgs): pulumi.Output<Record<string, string>> {
  const urls = Object.entries(passwords).map(
    ([user, password]) => [user, connectionUrl(server, { user, password, database })] as const,
  );
  return pulumi.secret(pulumi.all(Object.fromEntries(urls)));
}

/** How the administrator connects, for verbs and for a stack that takes this one over. Secret. */
export function administratorOutput(server: Administrator): pulumi.Output<object> {
  return pulumi.secret({ ...server });
}
