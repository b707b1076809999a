// Command pulumi-resource-postgresql manages a PostgreSQL server's databases, schemas, extensions, roles and grants: the
// part of the official plugin of that name that pgstack uses, for networks where the official one cannot be downloaded.
package main

import (
	"context"
	"fmt"
	"os"

	"pgstack/toolchain/internal/postgresql"
	"pgstack/toolchain/internal/serve"
)

// version is that of the official plugin whose names, types, defaults, ids and behaviour this one follows.
const version = "3.18.1"

func main() {
	if err := serve.Run(context.Background(), "postgresql", version, postgresql.New()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
