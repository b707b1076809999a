// Package postgresql is a plugin of the resource types that pgstack declares on a PostgreSQL server.
package postgresql

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

// resourceType is what the plugin knows about one kind of object. `old` is what state says, nil for an object to be made;
// `in` is what the program asks for. Queries take the properties as JSON, and give them so.
type resourceType struct {
	fields   []field
	check    func(in values) []p.CheckFailure // further faults of known inputs; may be absent
	place    string                           // the property that names the database to work in; "" for the provider's own
	outside  bool                             // no transaction can hold its statements
	owners   string                           // the query for the roles to be a member of meanwhile; "" for none
	write    func(old, in values) []string    // the statements
	remove   func(old values) []string
	removers string                         // like owners, for remove alone
	drop     func(old values) string        // what ends a removal, when those memberships are over; may be absent
	read     string                         // the query for what is there now; no row: nothing
	settle   func(old, found values) values // says what was found as state does; may be absent
	id       func(v values) string
	fromID   func(id string) values // for import; may be absent
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

// New makes the plugin. It connects when it is first asked.
func New() p.Provider {
	provider := &provider{}
	return cancel.Wrap(p.Provider{
		GetSchema: func(ctx context.Context, _ p.GetSchemaRequest) (p.GetSchemaResponse, error) {
			return p.GetSchemaResponse{Schema: fmt.Sprintf(`{"name":"postgresql","version":%q}`, p.GetRunInfo(ctx).Version)}, nil
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
	failures := checkFields(known.fields, in)
	if len(failures) == 0 && known.check != nil {
		failures = known.check(in)
	}
	return p.CheckResponse{Inputs: in.toMap(), Failures: failures}, nil
}

func diff(_ context.Context, req p.DiffRequest) (p.DiffResponse, error) {
	known, err := typeOf(req.Urn)
	old := fromMap(req.State)
	return diffFields(known.fields, old, fromMap(req.Inputs).ignoring(req.IgnoreChanges, old)), err
}

func (pr *provider) create(ctx context.Context, req p.CreateRequest) (p.CreateResponse, error) {
	known, err := typeOf(req.Urn)
	in := fromMap(req.Properties)
	if err != nil || req.DryRun {
		return p.CreateResponse{Properties: foreseen(known, in).toMap()}, err
	}
	if err := pr.server.change(ctx, known, nil, in); err != nil {
		return p.CreateResponse{}, fmt.Errorf("could not create %s: %w", req.Urn.Name(), err)
	}
	state, err := pr.current(ctx, known, in, in)
	return p.CreateResponse{ID: known.id(state), Properties: state.toMap()}, err
}

func (pr *provider) update(ctx context.Context, req p.UpdateRequest) (p.UpdateResponse, error) {
	known, err := typeOf(req.Urn)
	old := fromMap(req.State)
	in := fromMap(req.Inputs).ignoring(req.IgnoreChanges, old)
	if err != nil || req.DryRun {
		return p.UpdateResponse{Properties: withSecrets(known, in, kept(known, old).with(in)).toMap()}, err
	}
	if err := pr.server.change(ctx, known, old, in); err != nil {
		return p.UpdateResponse{}, fmt.Errorf("could not update %s: %w", req.Urn.Name(), err)
	}
	state, err := pr.current(ctx, known, kept(known, old).with(in), in)
	return p.UpdateResponse{Properties: state.toMap()}, err
}

func (pr *provider) delete(ctx context.Context, req p.DeleteRequest) error {
	known, err := typeOf(req.Urn)
	if err != nil {
		return err
	}
	old := fromMap(req.Properties)
	err = pr.server.change(ctx, known, old, nil)
	if err != nil && !isGone(err, old) {
		return fmt.Errorf("could not delete %s: %w", req.Urn.Name(), err)
	}
	return nil
}

// current is the state after a write: what was asked for, corrected by what the server says.
func (pr *provider) current(ctx context.Context, known resourceType, asked, in values) (values, error) {
	found, err := pr.found(ctx, known, asked)
	if err == nil && found == nil {
		err = errors.New("the object was written, and then it was not there: something else removes it")
	}
	return withSecrets(known, in, asked.with(found)), err
}

// found is what the server says of an object; nil where it, or what it is in, is not there.
func (pr *provider) found(ctx context.Context, known resourceType, of values) (values, error) {
	found, err := pr.server.query(ctx, of.str(known.place), known.read, of)
	switch {
	case hasCode(err, invalidCatalogName):
		return nil, nil
	case err == nil && found != nil && known.settle != nil:
		return known.settle(of, found), nil
	}
	return found, err
}

// read answers a refresh, and an import, which comes with nothing but the id. What differs on the server becomes an
// input, so that the next preview shows it as a change to make.
func (pr *provider) read(ctx context.Context, req p.ReadRequest) (p.ReadResponse, error) {
	known, err := typeOf(req.Urn)
	if err != nil {
		return p.ReadResponse{}, err
	}
	old, inputs := fromMap(req.Properties), fromMap(req.Inputs)
	imported := len(old) == 0
	if imported && known.fromID == nil {
		return p.ReadResponse{}, fmt.Errorf("%s cannot be imported: let the program create it, which repeats what is granted already", req.Urn.Type())
	} else if imported {
		old = known.fromID(req.ID)
	}
	found, err := pr.found(ctx, known, old)
	if err != nil || found == nil {
		return p.ReadResponse{}, err
	}
	state := withSecrets(known, old.with(inputs), old.with(found))
	for _, f := range known.fields {
		_, given := inputs[f.name]
		if value, there := state[f.name]; there && (imported || given && f.differs(state, inputs)) {
			inputs[f.name] = value
		}
	}
	return p.ReadResponse{ID: known.id(state), Properties: state.toMap(), Inputs: inputs.toMap()}, nil
}

// foreseen is what a create will give, as far as it is known before.
func foreseen(known resourceType, in values) values {
	out := values{}
	for _, f := range known.fields {
		if f.computed {
			out[f.name] = property.New(property.Computed)
		}
	}
	return withSecrets(known, in, out.with(in))
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
