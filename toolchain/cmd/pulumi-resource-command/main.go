// Command pulumi-resource-command runs shell commands as resources: the part of the official plugin of that name that
// pgstack uses (command:local:Command), for networks where the official one cannot be downloaded.
package main

import (
	"context"
	"fmt"
	"os"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi/sdk/v3/go/property"
)

// version is that of the official plugin whose behaviour this one follows.
const version = "1.2.1"

func newProvider() (p.Provider, error) {
	provider, err := infer.NewProviderBuilder().WithResources(infer.Resource(Command{})).Build()
	update := provider.Update
	provider.Update = func(ctx context.Context, req p.UpdateRequest) (p.UpdateResponse, error) {
		response, err := update(ctx, req)
		if req.DryRun {
			response.Properties = withUnknownOutputs(response.Properties)
		}
		return response, err
	}
	return provider, err
}

// withUnknownOutputs says that an update to come may print something else. The library says so by itself where an input
// has another value than before, but not where one is new.
func withUnknownOutputs(state property.Map) property.Map {
	for _, name := range []string{"stdout", "stderr"} {
		state = state.Set(name, property.New(property.Computed).WithSecret(state.Get(name).Secret()))
	}
	return state
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
