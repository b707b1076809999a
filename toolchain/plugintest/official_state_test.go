package plugintest

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/property"
)

// officialState are states as the official plugins 3.18.1 (postgresql) and 1.2.1 (command) write them: every property of
// the schema, nulls, and notes of their own. Secrets are put in by officialStateOf.
var officialState = map[string]string{
	"role": `{"__meta": "{\"schema_version\":\"0\"}", "assumeRole": "", "bypassRowLevelSecurity": false, "connectionLimit": -1,
		"createDatabase": false, "createRole": false, "encrypted": null, "encryptedPassword": true, "id": "official",
		"idleInTransactionSessionTimeout": 0, "inherit": true, "login": true, "name": "official", "passwordWoVersion": null,
		"replication": false, "roles": [], "searchPaths": [], "skipDropRole": false, "skipReassignOwned": false,
		"statementTimeout": 1500, "superuser": false, "validUntil": "infinity"}`,
	"database": `{"__meta": "{\"schema_version\":\"0\"}", "allowConnections": true, "alterObjectOwnership": false, "connectionLimit": -1,
		"encoding": "UTF8", "id": "official", "isTemplate": false, "lcCollate": "C", "lcCtype": "C", "name": "official", "owner": "postgres",
		"tablespaceName": "pg_default", "template": "template0"}`,
	"command": `{"create": "echo made", "stdin": "in", "logging": "stderr", "stdout": "made", "stderr": ""}`,
}

func officialStateOf(t *testing.T, what string) property.Map {
	t.Helper()
	var plain map[string]any
	if err := json.Unmarshal([]byte(officialState[what]), &plain); err != nil {
		t.Fatal(err)
	}
	state := resource.FromResourcePropertyMap(resource.NewPropertyMapFromMap(plain))
	if what == "role" {
		state = state.Set("password", txt(verifier).WithSecret(true)).Set("passwordWo", property.New(property.Null).WithSecret(true))
	}
	return state
}

func TestAStateOfTheOfficialPluginIsGoneOnWith(t *testing.T) {
	do(t, "postgres", `DROP ROLE IF EXISTS official`, `CREATE ROLE official LOGIN PASSWORD '`+verifier+`'`, `ALTER ROLE official SET statement_timeout = 1500`,
		`DROP DATABASE IF EXISTS official`, `CREATE DATABASE official TEMPLATE template0`)
	t.Cleanup(func() { do(t, "postgres", `DROP ROLE IF EXISTS official`, `DROP DATABASE IF EXISTS official`) })
	role := props{"name": txt("official"), "login": flag(true), "password": txt(verifier).WithSecret(true), "statementTimeout": num(1500), "roles": strs()}
	database := props{"name": txt("official"), "owner": txt("postgres"), "encoding": txt("UTF8"), "lcCollate": txt("DEFAULT"), "lcCtype": txt("DEFAULT"), "template": txt("template0")}
	for what, in := range map[string]props{"role": role, "database": database} {
		l := begin(t, what)
		l.ID, l.State = "official", officialStateOf(t, what)
		expectDiff(l, in, "")
		if !l.Refresh() {
			t.Fatal("a refresh lost it")
		}
		expectDiff(l, in, "")
		l.State = officialStateOf(t, what)
		in["connectionLimit"] = num(3)
		expectDiff(l, in, "connectionLimit")
		l.MustUp(in)
		l.State = officialStateOf(t, what)
		if err := l.Delete(); err != nil {
			t.Error(err)
		}
	}
	l := beginCommand(t)
	l.ID, l.State = "command0000", officialStateOf(t, "command")
	in := props{"create": txt("echo made"), "stdin": txt("in"), "logging": txt("stderr")}
	expectDiff(l, in, "")
	l.State = l.State.Set("addPreviousOutputInEnv", flag(true)) // as older builds of this plugin wrote it
	expectDiff(l, in, "")
}

// What these plugins write, the official ones have to read: each property under its name and of its type, with the zero of
// its type where it is not set, and nothing beside.
func TestStateHasTheOfficialTypes(t *testing.T) {
	inWorkplace(t)
	l := begin(t, "role")
	l.MustUp(props{"name": txt("typed"), "statementTimeout": num(5)})
	l.MustUp(props{"name": txt("typed")})
	l.Refresh()
	expectTypes(l, officialState["role"])
	if err := l.Delete(); err != nil {
		t.Error(err)
	}
	l = begin(t, "database")
	l.MustUp(props{"name": txt("typed")})
	expectTypes(l, officialState["database"])
	if err := l.Delete(); err != nil {
		t.Error(err)
	}
	l = beginCommand(t)
	l.MustUp(props{"create": txt("true"), "stdin": txt("in"), "logging": txt("stderr")})
	expectTypes(l, officialState["command"])
	if !l.Inputs.Get("addPreviousOutputInEnv").IsNull() {
		t.Error("an input that the program does not name:", l.Inputs)
	}
}

// expectTypes compares the types of a state's values with those of an official one that has them all.
func expectTypes(l *life, official string) {
	l.Helper()
	var plain map[string]any
	if err := json.Unmarshal([]byte(official), &plain); err != nil {
		l.Fatal(err)
	}
	written := resource.ToResourcePropertyMap(l.State).Mappable()
	for name, value := range written {
		if want, known := plain[name]; !known || fmt.Sprintf("%T", value) != fmt.Sprintf("%T", want) {
			l.Errorf("%s: found %T, officially %T", name, value, want)
		}
	}
	for name, value := range plain {
		if _, there := written[name]; !there && value != nil && name != "id" && name != "__meta" {
			l.Errorf("%s: missing, officially %v", name, value)
		}
	}
}
