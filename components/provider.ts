import * as postgresql from "@pulumi/postgresql";
import type * as pulumi from "@pulumi/pulumi";
import type { Administrator } from "./instance.ts";

/** The provider that makes roles, databases and grants as the server's administrator. */
export function createProvider(administrator: Administrator, parent: pulumi.Resource): postgresql.Provider {
  const { host, port, user, password, database, sslMode, sslRootCert } = administrator;
  return new postgresql.Provider(
    "postgresql",
    {
      host,
      port,
      username: user,
      password,
      database,
      sslmode: sslMode,
      ...(sslRootCert !== undefined && { sslrootcert: sslRootCert }),
      connectTimeout: 15,
      superuser: false, // else it reads pg_shadow, which an admin of a managed service may not
    },
    { parent },
  );
}
