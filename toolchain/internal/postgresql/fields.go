package postgresql

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi/sdk/v3/go/property"
)

// kind is what the values of a field are.
type kind struct {
	is   func(property.Value) bool
	text func(v values, name string) string // makes values comparable: an absent one equals its kind's zero, and sets have no order
}

var (
	text    = kind{property.Value.IsString, values.str}
	number  = kind{property.Value.IsNumber, func(v values, name string) string { return strconv.Itoa(v.integer(name)) }}
	boolean = kind{property.Value.IsBool, func(v values, name string) string { return strconv.FormatBool(v.boolean(name)) }}
	set     = kind{property.Value.IsArray, func(v values, name string) string { return fmt.Sprintf("%q", v.set(name)) }}
)

// field is one property of a resource type.
type field struct {
	name     string
	kind     kind
	fallback property.Value // what an absent input is
	fixed    bool           // the fallback is all that this build can do
	required bool
	computed bool     // the server chooses where the program does not
	replaces bool     // a change makes a new object
	secret   bool     // always a secret in state
	allowed  []string // the only values
}

var (
	yes, no   = property.New(true), property.New(false)
	unlimited = property.New(-1.0)
	forever   = property.New("infinity")
)

// differs tells whether the object in old has to change to become what in asks for. A flag that state lacks, as it does
// after an import, is no flag with its default: so it is with the official plugin.
func (f field) differs(old, in values) bool {
	value, given := in[f.name]
	_, was := old[f.name]
	switch {
	case given && value.HasComputed(), given && !was && !f.fallback.IsNull():
		return true
	case f.computed && (!given || strings.EqualFold(in.str(f.name), "default")):
		return false
	}
	return f.kind.text(old, f.name) != f.kind.text(in, f.name)
}

// fault says what is wrong with the program's value of a field.
func (f field) fault(in values) string {
	value, given := in[f.name]
	switch {
	case !given && f.required:
		return "expected a value, found none"
	case !given || value.HasComputed():
		return ""
	case !f.kind.is(value):
		return "expected another kind of value (text, number, boolean or list)"
	case f.fixed && value.AsBool() != f.fallback.AsBool():
		return fmt.Sprintf("expected %t, all that this build of the postgresql plugin can do: install the official plugin", f.fallback.AsBool())
	case f.allowed != nil && !slices.Contains(f.allowed, value.AsString()):
		return fmt.Sprintf("expected one of %s, found %q", strings.Join(f.allowed, ", "), value.AsString())
	}
	return ""
}

func withDefaults(fields []field, in values) values {
	out := values{}
	for _, f := range fields {
		if !f.fallback.IsNull() {
			out[f.name] = f.fallback
		}
	}
	return out.with(in)
}

// checkFields lists what is wrong with a program's inputs.
func checkFields(fields []field, in values) (failures []p.CheckFailure) {
	for name := range in {
		if !slices.ContainsFunc(fields, func(f field) bool { return f.name == name }) {
			failures = append(failures, p.CheckFailure{Property: name,
				Reason: "not supported by this build of the postgresql plugin: leave it out, or install the official plugin"})
		}
	}
	for _, f := range fields {
		if reason := f.fault(in); reason != "" {
			failures = append(failures, p.CheckFailure{Property: f.name, Reason: reason})
		}
	}
	return failures
}

// diffFields compares what state says is there with what the program asks for.
func diffFields(fields []field, old, in values) p.DiffResponse {
	diff := p.DiffResponse{DetailedDiff: map[string]p.PropertyDiff{}}
	for _, f := range fields {
		if !f.differs(old, in) {
			continue
		}
		diff.HasChanges = true
		diff.DetailedDiff[f.name] = p.PropertyDiff{Kind: f.diffKind(old, in), InputDiff: true}
		// Made anew beside the old one, the delete of the old would take the new one's privileges along.
		diff.DeleteBeforeReplace = diff.DeleteBeforeReplace || f.replaces
	}
	return diff
}

func (f field) diffKind(old, in values) p.DiffKind {
	_, was := old[f.name]
	_, is := in[f.name]
	change := 0
	if !was {
		change = 1
	} else if !is {
		change = 2
	}
	kinds := []p.DiffKind{p.Update, p.Add, p.Delete}
	if f.replaces {
		kinds = []p.DiffKind{p.UpdateReplace, p.AddReplace, p.DeleteReplace}
	}
	return kinds[change]
}
