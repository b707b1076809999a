package main

import (
	"context"
	"errors"
	"fmt"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/middleware/cancel"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	"github.com/pulumi/pulumi/sdk/v3/go/property"
)

// resourceType is what the plugin knows about one kind of object. `old` is what state says, `in` what the program asks for.
type resourceType struct {
	fields []field
	check  func(in values) []p.CheckFailure // further faults of known inputs; may be absent
	create func(ctx context.Context, s *server, in values) error
	read   func(ctx context.Context, s *server, old values) (values, error) // what is there now; nil: nothing
	update func(ctx context.Context, s *server, old, in values) error
	remove func(ctx context.Context, s *server, old values) error
	id     func(v values) string
	fromID func(id string) values // for import; may be absent
}

var resourceTypes = map[tokens.Type]resourceType{
	"postgresql:index/role:Role":                           roleType,
	"postgresql:index/database:Database":                   databaseType,
	"postgresql:index/schema:Schema":                       schemaType,
	"postgresql:index/extension:Extension":                 extensionType,
	"postgresql:index/grant:Grant":                         grantType,
	"postgresql:index/grantRole:GrantRole":                 grantRoleType,
	"postgresql:index/defaultPrivileges:DefaultPrivileges": defaultPrivilegesType,
}

type provider struct{ server *server }

func newProvider() p.Provider {
	provider := &provider{}
	return cancel.Wrap(p.Provider{
		GetSchema: func(context.Context, p.GetSchemaRequest) (p.GetSchemaResponse, error) {
			return p.GetSchemaResponse{Schema: `{"name":"postgresql","version":"` + version + `"}`}, nil
		},
		CheckConfig: func(_ context.Context, req p.CheckRequest) (p.CheckResponse, error) {
			return p.CheckResponse{Inputs: req.Inputs}, nil
		},
		DiffConfig: diffConfig,
		Configure:  provider.configure,
		Check:      check,
		Diff:       diff,
		Create:     provider.create,
		Read:       provider.read,
		Update:     provider.update,
		Delete:     provider.delete,
	})
}

func typeOf(urn resource.URN) (resourceType, error) {
	known, ok := resourceTypes[urn.Type()]
	if !ok {
		return known, fmt.Errorf("%s is not supported by this build of the postgresql plugin: install the official plugin", urn.Type())
	}
	return known, nil
}

func (pr *provider) configure(_ context.Context, req p.ConfigureRequest) (err error) {
	pr.server, err = newServer(fromMap(req.Args))
	return err
}

// diffConfig never replaces: another address or password leads to the same objects.
func diffConfig(_ context.Context, req p.DiffRequest) (p.DiffResponse, error) {
	old, in := fromMap(req.State), fromMap(req.Inputs)
	diff := p.DiffResponse{DetailedDiff: map[string]p.PropertyDiff{}}
	for name := range old.with(in) {
		if !old[name].WithSecret(false).Equals(in[name].WithSecret(false)) {
			diff.HasChanges = true
			diff.DetailedDiff[name] = p.PropertyDiff{Kind: p.Update, InputDiff: true}
		}
	}
	return diff, nil
}

func check(_ context.Context, req p.CheckRequest) (p.CheckResponse, error) {
	known, err := typeOf(req.Urn)
	if err != nil {
		return p.CheckResponse{}, err
	}
	in := withDefaults(known.fields, fromMap(req.Inputs))
	if err := autoName(known, req, in); err != nil {
		return p.CheckResponse{}, err
	}
	failures := checkFields(known.fields, in)
	if len(failures) == 0 && known.check != nil {
		failures = known.check(in)
	}
	return p.CheckResponse{Inputs: in.toMap(), Failures: failures}, nil
}

// autoName gives an object without a name one that begins with the resource's, and keeps it.
func autoName(known resourceType, req p.CheckRequest, in values) (err error) {
	if _, given := in["name"]; given || known.fields[0].name != "name" {
		return nil
	}
	name := fromMap(req.State).str("name")
	if name == "" {
		name, err = resource.NewUniqueName(req.RandomSeed, req.Urn.Name()+"-", 7, 63, nil)
	}
	in["name"] = property.New(name)
	return err
}

func diff(_ context.Context, req p.DiffRequest) (p.DiffResponse, error) {
	known, err := typeOf(req.Urn)
	if err != nil {
		return p.DiffResponse{}, err
	}
	return diffFields(known.fields, fromMap(req.State), fromMap(req.Inputs)), nil
}

func (pr *provider) create(ctx context.Context, req p.CreateRequest) (p.CreateResponse, error) {
	known, err := typeOf(req.Urn)
	in := fromMap(req.Properties)
	if err != nil || req.DryRun {
		return p.CreateResponse{Properties: foreseen(known, in).toMap()}, err
	}
	if err := known.create(ctx, pr.server, in); err != nil {
		return p.CreateResponse{}, fmt.Errorf("could not create %s: %w", req.Urn.Name(), err)
	}
	state, err := pr.current(ctx, known, in, in)
	return p.CreateResponse{ID: known.id(state), Properties: state.toMap()}, err
}

func (pr *provider) update(ctx context.Context, req p.UpdateRequest) (p.UpdateResponse, error) {
	known, err := typeOf(req.Urn)
	old, in := fromMap(req.State), fromMap(req.Inputs)
	if err != nil || req.DryRun {
		return p.UpdateResponse{Properties: withSecrets(known, in, kept(known, old).with(in)).toMap()}, err
	}
	if err := known.update(ctx, pr.server, old, in); err != nil {
		return p.UpdateResponse{}, fmt.Errorf("could not update %s: %w", req.Urn.Name(), err)
	}
	state, err := pr.current(ctx, known, kept(known, old).with(in), in)
	return p.UpdateResponse{Properties: state.toMap()}, err
}

// current is the state after a write: what was asked for, corrected by what the server says.
func (pr *provider) current(ctx context.Context, known resourceType, asked, in values) (values, error) {
	found, err := known.read(ctx, pr.server, asked)
	if err == nil && found == nil {
		err = errors.New("the object was written, and then it was not there: something else removes it")
	}
	return withSecrets(known, in, asked.with(found)), err
}

func (pr *provider) delete(ctx context.Context, req p.DeleteRequest) error {
	known, err := typeOf(req.Urn)
	if err == nil {
		err = known.remove(ctx, pr.server, fromMap(req.Properties))
	}
	if err != nil {
		return fmt.Errorf("could not delete %s: %w", req.Urn.Name(), err)
	}
	return nil
}

// foreseen is what a create will give, as far as it is known before.
func foreseen(known resourceType, in values) values {
	out := values{}.with(in)
	for _, f := range known.fields {
		if _, given := out[f.name]; f.computed && !given {
			out[f.name] = property.New(property.Computed)
		}
	}
	return withSecrets(known, in, out)
}

// kept is what of the old state outlives an update that leaves it out: what the server chose.
func kept(known resourceType, old values) values {
	out := values{}
	for _, f := range known.fields {
		if value, given := old[f.name]; f.computed && given {
			out[f.name] = value
		}
	}
	return out
}

// withSecrets keeps secret what came in as a secret, and what always is one.
func withSecrets(known resourceType, in, out values) values {
	for _, f := range known.fields {
		if value, given := out[f.name]; given && (f.secret || in[f.name].HasSecrets()) {
			out[f.name] = value.WithSecret(true)
		}
	}
	return out
}
