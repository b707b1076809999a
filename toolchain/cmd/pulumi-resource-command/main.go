// Command pulumi-resource-command runs shell commands as resources: the part of the official plugin of that name that
// pgstack uses (command:local:Command), for networks where the official one cannot be downloaded.
package main

import (
	"context"
	"fmt"
	"os"

	"pgstack/toolchain/internal/command"
	"pgstack/toolchain/internal/serve"
)

// version is that of the official plugin whose behaviour this one follows.
const version = "1.2.1"

func main() {
	provider, err := command.New()
	if err == nil {
		err = serve.Run(context.Background(), "command", version, provider)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
