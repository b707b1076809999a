package main

import (
	"context"
	"fmt"

	p "github.com/pulumi/pulumi-go-provider"
)

// read answers a refresh, and an import, which comes with nothing but the id.
func (pr *provider) read(ctx context.Context, req p.ReadRequest) (p.ReadResponse, error) {
	known, err := typeOf(req.Urn)
	if err != nil {
		return p.ReadResponse{}, err
	}
	old, imported := fromMap(req.Properties), false
	if len(old) == 0 {
		if known.fromID == nil {
			return p.ReadResponse{}, fmt.Errorf("%s cannot be imported: let the program create it, which repeats what is granted already", req.Urn.Type())
		}
		old, imported = withDefaults(known.fields, known.fromID(req.ID)), true
	}
	found, err := known.read(ctx, pr.server, old)
	if err != nil || found == nil {
		return p.ReadResponse{}, err
	}
	inputs := fromMap(req.Inputs)
	state := withSecrets(known, old.with(inputs), old.with(found))
	if imported {
		inputs = importedInputs(known, state)
	} else {
		inputs = refreshedInputs(known, inputs, state)
	}
	return p.ReadResponse{ID: known.id(state), Properties: state.toMap(), Inputs: inputs.toMap()}, nil
}

// refreshedInputs carry what differs on the server, so that the next preview shows it as a change to make.
func refreshedInputs(known resourceType, inputs, state values) values {
	out := values{}.with(inputs)
	for _, f := range known.fields {
		_, given := inputs[f.name]
		if value, found := state[f.name]; given && found && f.differs(state, inputs) {
			out[f.name] = value
		}
	}
	return out
}

// importedInputs are what a program would have to say to get this object: all but zeros that are no default's opposite.
func importedInputs(known resourceType, state values) values {
	out := values{}
	for _, f := range known.fields {
		value, found := state[f.name]
		if found && (f.fallback != nil || f.required || f.canonical(state) != f.canonical(values{})) {
			out[f.name] = value
		}
	}
	return out
}
