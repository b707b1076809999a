import type { Socket } from "node:net";
import type pg from "pg";

// What pgstack uses of node-pg beyond its types. Nothing else in the project reaches into a client.

/** The connection of a pg client. */
export interface Wire {
  readonly stream: Socket;
  query(text: string): void;
  endCopyFrom(): void;
  on(event: "parameterStatus", read: (message: ParameterStatus) => void): void;
}

/** https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-PARAMETERSTATUS */
interface ParameterStatus {
  readonly parameterName: string;
  readonly parameterValue: string;
}

/** The connection of a client, or of a query's `submit`. */
export function wireOf(holder: pg.ClientBase | pg.Connection): Wire {
  return ((holder as unknown as { connection?: Wire }).connection ?? holder) as Wire;
}

/** The process that the server, or a pooler before it, announced for a session. A pooler makes a number up. */
export function announcedProcess(client: pg.ClientBase): number | null {
  return (client as unknown as { processID: number | null }).processID;
}

/** Without it node-pg takes PGOPTIONS from this process, which may lead to other settings than this run has decided. */
export function withoutOptions(client: pg.ClientBase): void {
  (client as unknown as { connectionParameters: { options: string } }).connectionParameters.options = "";
}

/** Gives `server_version` once a client is connected. To be called before it connects. */
export function watchServerVersion(client: pg.ClientBase): () => string {
  let version = "";
  wireOf(client).on("parameterStatus", ({ parameterName, parameterValue }) => {
    if (parameterName === "server_version") version = parameterValue;
  });
  return () => version;
}

/** What a cancel request names a session by: its process and its secret key. */
export function sessionKeyOf(client: pg.ClientBase): readonly [number, number] {
  const { processID, secretKey } = client as unknown as {
    processID: number | null;
    secretKey: number | null;
  };
  return [processID ?? 0, secretKey ?? 0];
}
