// Package command is a plugin of one resource type, command:local:Command.
package command

import (
	"context"
	"fmt"
	"slices"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/property"
)

// New makes the plugin.
func New() (p.Provider, error) {
	provider, err := infer.NewProviderBuilder().WithResources(infer.Resource(Command{})).Build()
	diff, update := provider.Diff, provider.Update
	provider.Diff = func(ctx context.Context, req p.DiffRequest) (p.DiffResponse, error) {
		// State that an older build wrote holds the default, which a program does not name.
		const previous = "addPreviousOutputInEnv"
		if was := req.State.Get(previous); was.IsBool() && was.AsBool() && req.Inputs.Get(previous).IsNull() {
			req.State = req.State.Delete(previous)
		}
		return diff(ctx, req)
	}
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

// Command is a resource whose life is a command line for each of create, update and delete.
type Command struct{}

// Inputs are what a program may set on a Command, under the official names.
type Inputs struct {
	Create                 *string            `pulumi:"create,optional"`
	Update                 *string            `pulumi:"update,optional"`
	Delete                 *string            `pulumi:"delete,optional"`
	Stdin                  *string            `pulumi:"stdin,optional"`
	Environment            *map[string]string `pulumi:"environment,optional"`
	Dir                    *string            `pulumi:"dir,optional"`
	Interpreter            *[]string          `pulumi:"interpreter,optional"`
	Triggers               *[]any             `pulumi:"triggers,optional" provider:"replaceOnChanges"`
	Logging                *string            `pulumi:"logging,optional"`
	AddPreviousOutputInEnv *bool              `pulumi:"addPreviousOutputInEnv,optional"`
}

// State is what is kept of a Command: its inputs, and what the last run printed.
type State struct {
	Inputs
	Stdout string `pulumi:"stdout"`
	Stderr string `pulumi:"stderr"`
}

var (
	_ infer.CustomResource[Inputs, State] = Command{}
	_ infer.CustomCheck[Inputs]           = Command{}
	_ infer.CustomUpdate[Inputs, State]   = Command{}
	_ infer.CustomDelete[State]           = Command{}
)

var loggings = []string{"stdout", "stderr", "stdoutAndStderr", "none"}

// Annotate gives the official token.
func (c *Command) Annotate(a infer.Annotator) { a.SetToken("local", "Command") }

// Check refuses what only the official plugin can do, instead of leaving it out silently.
func (Command) Check(ctx context.Context, req infer.CheckRequest) (infer.CheckResponse[Inputs], error) {
	inputs, failures, err := infer.DefaultCheck[Inputs](ctx, req.NewInputs)
	for _, name := range []string{"assetPaths", "archivePaths"} {
		if value, set := req.NewInputs.GetOk(name); set && !value.IsNull() {
			failures = append(failures, p.CheckFailure{Property: name,
				Reason: "not supported by this build of the command plugin: read the file in the program, or install the official plugin"})
		}
	}
	if value := req.NewInputs.Get("logging"); value.IsString() && !slices.Contains(loggings, value.AsString()) {
		failures = append(failures, p.CheckFailure{Property: "logging",
			Reason: fmt.Sprintf("expected one of %q, found %q", loggings, value.AsString())})
	}
	return infer.CheckResponse[Inputs]{Inputs: inputs, Failures: failures}, err
}

// Create runs the create command, or nothing where there is none.
func (Command) Create(ctx context.Context, req infer.CreateRequest[Inputs]) (infer.CreateResponse[State], error) {
	id, err := resource.NewUniqueHex(req.Name, 8, 0)
	state := State{Inputs: req.Inputs}
	if err == nil && !req.DryRun && req.Inputs.Create != nil {
		err = run(ctx, *req.Inputs.Create, &state)
	}
	return infer.CreateResponse[State]{ID: id, Output: state}, err
}

// Update runs the update command, or create again where there is none.
func (Command) Update(ctx context.Context, req infer.UpdateRequest[Inputs, State]) (infer.UpdateResponse[State], error) {
	state := State{Inputs: req.Inputs, Stdout: req.State.Stdout, Stderr: req.State.Stderr}
	command := req.Inputs.Update
	if command == nil {
		command = req.Inputs.Create
	}
	var err error
	if !req.DryRun && command != nil {
		err = run(ctx, *command, &state)
	}
	return infer.UpdateResponse[State]{Output: state}, err
}

// Delete runs the delete command with the inputs that are in state.
func (Command) Delete(ctx context.Context, req infer.DeleteRequest[State]) (infer.DeleteResponse, error) {
	if req.State.Delete == nil {
		return infer.DeleteResponse{}, nil
	}
	return infer.DeleteResponse{}, run(ctx, *req.State.Delete, &req.State)
}
