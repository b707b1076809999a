// Package plugintest calls the resource plugins as the engine does, by their gRPC messages.
package plugintest

import (
	"fmt"
	"testing"

	"pgstack/toolchain/internal/serve"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/property"
	rpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/structpb"
)

// props are properties as a program writes them.
type props = map[string]property.Value

func txt(s string) property.Value  { return property.New(s) }
func num(n float64) property.Value { return property.New(n) }
func flag(b bool) property.Value   { return property.New(b) }

// strs makes a list of texts.
func strs(texts ...string) property.Value {
	elements := make([]property.Value, len(texts))
	for i, text := range texts {
		elements[i] = property.New(text)
	}
	return property.New(property.NewArray(elements))
}

// unknown is what a value is at preview while the resource that gives it is not made.
func unknown() property.Value { return property.New(property.Computed) }

// serveFor starts a plugin, configured.
func serveFor(t *testing.T, name string, provider p.Provider, config props) rpc.ResourceProviderServer {
	t.Helper()
	server, err := serve.Server(name, "1.0.0", provider, nil)
	if err != nil {
		t.Fatal(err)
	}
	args := marshal(t, property.NewMap(config))
	if _, err := server.Configure(t.Context(), &rpc.ConfigureRequest{Args: args, AcceptSecrets: true}); err != nil {
		t.Fatal(err)
	}
	return server
}

// life is one resource in one stack.
type life struct {
	*testing.T
	Server rpc.ResourceProviderServer
	URN    string
	ID     string
	Inputs property.Map
	State  property.Map
	Ignore []string // as `ignoreChanges` of the program
}

// beginOf names a resource of a type that is not made yet.
func beginOf(t *testing.T, server rpc.ResourceProviderServer, token string) *life {
	return &life{T: t, Server: server, URN: fmt.Sprintf("urn:pulumi:test::test::%s::it", token)}
}

// Check gives the inputs with what the plugin adds, and its objections.
func (l *life) Check(in props) (property.Map, []*rpc.CheckFailure) {
	l.Helper()
	response, err := l.Server.Check(l.Context(), &rpc.CheckRequest{
		Urn: l.URN, Olds: marshal(l, l.Inputs), News: marshal(l, property.NewMap(in)), RandomSeed: []byte("a seed that is the same each time"),
	})
	if err != nil {
		l.Fatal(err)
	}
	return unmarshal(l, response.Inputs), response.Failures
}

func (l *life) checked(in props) property.Map {
	l.Helper()
	inputs, failures := l.Check(in)
	if len(failures) > 0 {
		l.Fatal("refused: ", failures)
	}
	return inputs
}

// Diff tells what the plugin would change.
func (l *life) Diff(in props) *rpc.DiffResponse {
	l.Helper()
	response, err := l.Server.Diff(l.Context(), &rpc.DiffRequest{
		Id: l.ID, Urn: l.URN, Olds: marshal(l, l.State), OldInputs: marshal(l, l.Inputs), News: marshal(l, l.checked(in)), IgnoreChanges: l.Ignore,
	})
	if err != nil {
		l.Fatal(err)
	}
	return response
}

// Preview gives the outputs as a program sees them at preview.
func (l *life) Preview(in props) property.Map {
	l.Helper()
	state, err := l.write(l.checked(in), true)
	if err != nil {
		l.Fatal(err)
	}
	return state
}

// Up creates the resource, or updates it.
func (l *life) Up(in props) error {
	l.Helper()
	inputs := l.checked(in)
	state, err := l.write(inputs, false)
	if err == nil {
		l.Inputs, l.State = inputs, state
	}
	return err
}

// MustUp is Up where nothing should fail.
func (l *life) MustUp(in props) {
	l.Helper()
	if err := l.Up(in); err != nil {
		l.Fatal(err)
	}
}

func (l *life) write(inputs property.Map, preview bool) (property.Map, error) {
	if l.ID == "" {
		response, err := l.Server.Create(l.Context(), &rpc.CreateRequest{Urn: l.URN, Properties: marshal(l, inputs), Preview: preview})
		if err == nil && !preview {
			l.ID = response.Id
		}
		return unmarshal(l, response.GetProperties()), err
	}
	response, err := l.Server.Update(l.Context(), &rpc.UpdateRequest{
		Id: l.ID, Urn: l.URN, Olds: marshal(l, l.State), OldInputs: marshal(l, l.Inputs), News: marshal(l, inputs), Preview: preview, IgnoreChanges: l.Ignore,
	})
	return unmarshal(l, response.GetProperties()), err
}

// Refresh reads what is there. It is false where the resource is gone.
func (l *life) Refresh() bool {
	l.Helper()
	if err := l.read(); err != nil {
		l.Fatal(err)
	}
	return l.ID != ""
}

// Import reads a resource by its id alone.
func (l *life) Import(id string) error {
	l.ID = id
	return l.read()
}

func (l *life) read() error {
	response, err := l.Server.Read(l.Context(), &rpc.ReadRequest{
		Id: l.ID, Urn: l.URN, Properties: marshal(l, l.State), Inputs: marshal(l, l.Inputs),
	})
	if err == nil {
		l.ID, l.State, l.Inputs = response.Id, unmarshal(l, response.Properties), unmarshal(l, response.Inputs)
	}
	return err
}

// Delete removes the resource.
func (l *life) Delete() error {
	_, err := l.Server.Delete(l.Context(), &rpc.DeleteRequest{
		Id: l.ID, Urn: l.URN, Properties: marshal(l, l.State), OldInputs: marshal(l, l.Inputs),
	})
	return err
}

// Expect compares one text of the state.
func (l *life) Expect(name, want string) {
	l.Helper()
	if got := l.State.Get(name); !got.IsString() || got.AsString() != want {
		l.Errorf("%s: expected %q, found %v", name, want, got)
	}
}

var options = plugin.MarshalOptions{KeepUnknowns: true, KeepSecrets: true, KeepResources: true, SkipNulls: true}

func marshal(t testing.TB, m property.Map) *structpb.Struct {
	t.Helper()
	message, err := plugin.MarshalProperties(resource.ToResourcePropertyMap(m), options)
	if err != nil {
		t.Fatal(err)
	}
	return message
}

func unmarshal(t testing.TB, message *structpb.Struct) property.Map {
	t.Helper()
	properties, err := plugin.UnmarshalProperties(message, options)
	if err != nil {
		t.Fatal(err)
	}
	return resource.FromResourcePropertyMap(properties)
}
