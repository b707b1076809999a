package main

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/property"
)

// values are a resource's properties. What is absent reads as the zero of its kind.
type values map[string]property.Value

func (v values) str(name string) string {
	if value := v[name]; value.IsString() {
		return value.AsString()
	}
	return ""
}

func (v values) boolean(name string) bool {
	value := v[name]
	return value.IsBool() && value.AsBool() || value.IsString() && value.AsString() == "true"
}

func (v values) integer(name string) int {
	switch value := v[name]; {
	case value.IsNumber():
		return int(value.AsNumber())
	case value.IsString():
		number, _ := strconv.Atoi(value.AsString())
		return number
	}
	return 0
}

func (v values) strings(name string) []string {
	list := []string{}
	if value := v[name]; value.IsArray() {
		for _, element := range value.AsArray().AsSlice() {
			if element.IsString() {
				list = append(list, element.AsString())
			}
		}
	}
	return list
}

// set is strings without order or doubles.
func (v values) set(name string) []string {
	return slices.Compact(slices.Sorted(slices.Values(v.strings(name))))
}

// with is a copy in which other's values count.
func (v values) with(other values) values {
	merged := maps.Clone(v)
	maps.Copy(merged, other)
	return merged
}

func stringList(list []string) property.Value {
	elements := make([]property.Value, len(list))
	for i, element := range list {
		elements[i] = property.New(element)
	}
	return property.New(property.NewArray(elements))
}

// fromMap leaves out nulls, what plugins note for themselves (`__defaults`, `__meta`), and which resources a value came from.
func fromMap(m property.Map) values {
	v := values{}
	for name, value := range m.All {
		if !strings.HasPrefix(name, "__") && !value.IsNull() {
			v[name] = value.WithDependencies(nil)
		}
	}
	return v
}

func (v values) toMap() property.Map { return property.NewMap(v) }
