package postgresql

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/lib/pq"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/property"
)

// values are a resource's properties. An absent one reads as the zero of its kind.
type values map[string]property.Value

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

// with is a copy in which other's values count.
func (v values) with(other values) values {
	merged := values{}
	maps.Copy(merged, v)
	maps.Copy(merged, other)
	return merged
}

// ignoring is a copy in which the named properties are as they were.
func (v values) ignoring(names []string, old values) values {
	out := v.with(nil)
	for _, name := range names {
		delete(out, name)
		if was, given := old[name]; given {
			out[name] = was
		}
	}
	return out
}

func (v values) str(name string) string {
	if value := v[name]; value.IsString() {
		return value.AsString()
	}
	return ""
}

func (v values) boolean(name string) bool { return v[name].IsBool() && v[name].AsBool() }

func (v values) integer(name string) int {
	if value := v[name]; value.IsNumber() {
		return int(value.AsNumber())
	}
	return 0
}

// set is a list of texts, sorted and without doubles.
func (v values) set(name string) []string {
	list := []string{}
	if value := v[name]; value.IsArray() {
		for _, element := range value.AsArray().AsSlice() {
			list = append(list, element.AsString())
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// ident is a name as SQL writes it. PostgreSQL takes "public" for PUBLIC in quotes too.
func (v values) ident(name string) string { return pq.QuoteIdentifier(v.str(name)) }

// json is what queries take as their parameter: all known values, without their secrecy.
func (v values) json() (string, error) {
	plain := values{}
	for name, value := range v {
		plain[name] = value.WithSecret(false)
	}
	text, err := json.Marshal(resource.ToResourcePropertyMap(plain.toMap()).Mappable())
	return string(text), err
}

// fromJSON reads what a query answers.
func fromJSON(text []byte) (values, error) {
	var plain map[string]any
	err := json.Unmarshal(text, &plain)
	return fromMap(resource.FromResourcePropertyMap(resource.NewPropertyMapFromMap(plain))), err
}
