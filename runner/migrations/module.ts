import type pg from "pg";
import { UserError } from "../user-error.ts";

/** What a `.ts` migration exports under `up` or `down`. */
type Direction = string | ((client: pg.Client) => Promise<unknown> | unknown);

/**
 * Loads a migration's module from its text and takes one direction: a string is returned, to be run as a script; a
 * function is called with the client and has done its work when this resolves.
 */
export async function callDirection(
  text: string,
  direction: "up" | "down",
  client: pg.Client,
): Promise<string | undefined> {
  const url = `data:text/javascript;base64,${Buffer.from(text).toString("base64")}`;
  const exported = ((await import(url)) as Record<string, Direction | undefined>)[direction];
  if (typeof exported === "string") return exported;
  if (typeof exported !== "function")
    throw new UserError(
      `expected "${direction}" to be a string of SQL or a function of a client, found ${typeof exported}`,
    );
  await exported(client);
  return undefined;
}
