// Package serve starts a resource plugin.
package serve

import (
	"context"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/provider"
	rpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"
)

// Run answers the engine until it ends.
func Run(ctx context.Context, name, version string, plugin p.Provider) error {
	return provider.MainContext(ctx, name, func(host *provider.HostClient) (rpc.ResourceProviderServer, error) {
		return Server(name, version, plugin, host)
	})
}

// Server is a plugin that reads state which the official plugins have written.
func Server(name, version string, plugin p.Provider, host *provider.HostClient) (rpc.ResourceProviderServer, error) {
	server, err := p.RawServer(name, version, plugin)(host)
	return tolerant{server}, err
}

// tolerant takes secrets without a value for absent. The official plugins keep `passwordWo` so, a secret null, which the
// library that this one is built with calls malformed.
type tolerant struct{ rpc.ResourceProviderServer }

func (t tolerant) Check(ctx context.Context, req *rpc.CheckRequest) (*rpc.CheckResponse, error) {
	dropNullSecrets(req.Olds, req.News)
	return t.ResourceProviderServer.Check(ctx, req)
}

func (t tolerant) Diff(ctx context.Context, req *rpc.DiffRequest) (*rpc.DiffResponse, error) {
	dropNullSecrets(req.Olds, req.News, req.OldInputs)
	return t.ResourceProviderServer.Diff(ctx, req)
}

func (t tolerant) Read(ctx context.Context, req *rpc.ReadRequest) (*rpc.ReadResponse, error) {
	dropNullSecrets(req.Properties, req.Inputs)
	return t.ResourceProviderServer.Read(ctx, req)
}

func (t tolerant) Update(ctx context.Context, req *rpc.UpdateRequest) (*rpc.UpdateResponse, error) {
	dropNullSecrets(req.Olds, req.News, req.OldInputs)
	return t.ResourceProviderServer.Update(ctx, req)
}

func (t tolerant) Delete(ctx context.Context, req *rpc.DeleteRequest) (*emptypb.Empty, error) {
	dropNullSecrets(req.Properties, req.OldInputs)
	return t.ResourceProviderServer.Delete(ctx, req)
}

func dropNullSecrets(properties ...*structpb.Struct) {
	for _, some := range properties {
		for name, value := range some.GetFields() {
			of := value.GetStructValue().GetFields()
			_, isNull := of["value"].GetKind().(*structpb.Value_NullValue)
			if of[resource.SigKey].GetStringValue() == resource.SecretSig && (isNull || of["value"] == nil) {
				delete(some.Fields, name)
			}
		}
	}
}
