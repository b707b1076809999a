package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi/sdk/v3/go/property"
)

type kind int

const (
	text kind = iota
	number
	boolean
	list // of strings, in order
	set  // of strings
)

// field is one property of a resource type.
type field struct {
	name     string
	kind     kind
	required bool
	fallback any      // what an absent input is
	computed bool     // the server chooses where the program does not
	replaces bool     // a change makes a new object
	secret   bool     // always a secret in state
	allowed  []string // the only values
}

// canonical makes values comparable: absent and zero are one, and sets have no order.
func (f field) canonical(v values) string {
	switch f.kind {
	case number:
		return strconv.Itoa(v.integer(f.name))
	case boolean:
		return strconv.FormatBool(v.boolean(f.name))
	case list:
		return fmt.Sprintf("%q", v.strings(f.name))
	case set:
		return fmt.Sprintf("%q", v.set(f.name))
	default:
		return v.str(f.name)
	}
}

func (f field) ofKind(value property.Value) bool {
	switch f.kind {
	case number:
		return value.IsNumber()
	case boolean:
		return value.IsBool()
	case list, set:
		return value.IsArray()
	default:
		return value.IsString()
	}
}

// differs tells whether the object in old has to change to become what in asks for.
func (f field) differs(old, in values) bool {
	value, given := in[f.name]
	switch {
	case given && value.HasComputed():
		return true
	case f.computed && (!given || strings.EqualFold(in.str(f.name), "default")):
		return false
	}
	return f.canonical(old) != f.canonical(in)
}

func withDefaults(fields []field, in values) values {
	out := values{}.with(in)
	for _, f := range fields {
		if _, given := out[f.name]; given || f.fallback == nil {
			continue
		}
		switch fallback := f.fallback.(type) {
		case bool:
			out[f.name] = property.New(fallback)
		case int:
			out[f.name] = property.New(float64(fallback))
		case string:
			out[f.name] = property.New(fallback)
		}
	}
	return out
}

// checkFields lists what is wrong with a program's inputs.
func checkFields(fields []field, in values) []p.CheckFailure {
	var failures []p.CheckFailure
	fail := func(name, format string, args ...any) {
		failures = append(failures, p.CheckFailure{Property: name, Reason: fmt.Sprintf(format, args...)})
	}
	for name := range in {
		if !slices.ContainsFunc(fields, func(f field) bool { return f.name == name }) {
			fail(name, "not supported by this build of the postgresql plugin: leave it out, or install the official plugin")
		}
	}
	for _, f := range fields {
		value, given := in[f.name]
		switch {
		case !given && f.required:
			fail(f.name, "expected a value, found none")
		case !given || value.HasComputed():
		case !f.ofKind(value):
			fail(f.name, "expected another kind of value (text, number, boolean or list)")
		case f.allowed != nil && !slices.Contains(f.allowed, value.AsString()):
			fail(f.name, "expected one of %s, found %q", strings.Join(f.allowed, ", "), value.AsString())
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
		diff.DetailedDiff[f.name] = p.PropertyDiff{Kind: diffKind(f, old, in), InputDiff: true}
		// Made anew beside the old one, the delete of the old would take the new one's privileges along.
		diff.DeleteBeforeReplace = diff.DeleteBeforeReplace || f.replaces
	}
	return diff
}

func diffKind(f field, old, in values) p.DiffKind {
	_, was := old[f.name]
	_, is := in[f.name]
	kinds := []p.DiffKind{p.Update, p.UpdateReplace}
	switch {
	case !was && is:
		kinds = []p.DiffKind{p.Add, p.AddReplace}
	case was && !is:
		kinds = []p.DiffKind{p.Delete, p.DeleteReplace}
	}
	if f.replaces {
		return kinds[1]
	}
	return kinds[0]
}
