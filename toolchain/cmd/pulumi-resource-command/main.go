// Command pulumi-resource-command runs shell commands as resources: the part of the official plugin of that name that
// pgstack uses (command:local:Command), for networks where the official one cannot be downloaded.
package main

import (
	"context"
	"fmt"
	"os"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/infer"
)

// version is that of the official plugin whose behaviour this one follows.
const version = "1.2.1"

func newProvider() (p.Provider, error) {
	return infer.NewProviderBuilder().WithResources(infer.Resource(Command{})).Build()
}

func main() {
	provider, err := newProvider()
	if err == nil {
		err = provider.Run(context.Background(), "command", version)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
