package plugintest

import (
	"slices"
	"strings"
	"testing"

	rpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// lifecycles take each type through its life on a fresh workplace.
var lifecycles = []struct {
	title, token string
	in, changed  props
	id           string
	unknown      string // an output that preview cannot know
	replaces     props  // a change that needs a new object
	drift        string // what someone does behind the stack's back, in the workplace
	drifted      string // the property that then differs
	vanish       string // what removes it
}{
	{
		title: "role", token: "role", id: "life er", unknown: "",
		in:      props{"name": txt("life er"), "login": flag(true), "password": txt(verifier).WithSecret(true), "connectionLimit": num(3), "statementTimeout": num(1500), "roles": strs("grp"), "validUntil": txt("2031-01-01 00:00:00+00")},
		changed: props{"name": txt("life er"), "login": flag(true), "password": txt("other").WithSecret(true), "createDatabase": flag(true), "idleInTransactionSessionTimeout": num(5)},
		drift:   `ALTER ROLE "life er" CONNECTION LIMIT 7`, drifted: "connectionLimit",
		vanish: `DROP ROLE "life er"`,
	},
	{
		title: "database", token: "database", id: "life db", unknown: "lcCollate",
		in:       props{"name": txt("life db"), "owner": txt("Own er"), "encoding": txt("UTF8")},
		changed:  props{"name": txt("life db"), "owner": txt("Own er"), "connectionLimit": num(5)},
		replaces: props{"name": txt("life db"), "owner": txt("Own er"), "encoding": txt("LATIN1")},
		drift:    `ALTER DATABASE "life db" OWNER TO postgres`, drifted: "owner",
		vanish: `DROP DATABASE "life db"`,
	},
	{
		title: "schema", token: "schema", id: "Work 1.audit", unknown: "owner",
		in:       props{"name": txt("audit"), "database": txt("Work 1")},
		changed:  props{"name": txt("audit"), "database": txt("Work 1"), "owner": txt("Own er")},
		replaces: props{"name": txt("audit"), "database": txt("postgres")},
		vanish:   `DROP SCHEMA audit`,
	},
	{
		title: "extension", token: "extension", id: "Work 1.plpgsql", unknown: "version",
		in:       props{"name": txt("plpgsql"), "database": txt("Work 1")},
		changed:  props{"name": txt("plpgsql"), "database": txt("Work 1"), "dropCascade": flag(true)},
		replaces: props{"name": txt("other"), "database": txt("Work 1")},
		vanish:   `DROP EXTENSION plpgsql`,
	},
	{
		title: "grant on a database", token: "grant", id: "reader_Work 1_database",
		in:       props{"role": txt("reader"), "database": txt("Work 1"), "objectType": txt("database"), "privileges": strs("CONNECT")},
		changed:  props{"role": txt("reader"), "database": txt("Work 1"), "objectType": txt("database"), "privileges": strs("TEMPORARY", "CONNECT")},
		replaces: props{"role": txt("public"), "database": txt("Work 1"), "objectType": txt("database"), "privileges": strs("CONNECT")},
		drift:    `REVOKE CONNECT ON DATABASE "Work 1" FROM reader`, drifted: "privileges",
		vanish: `DROP OWNED BY reader; DROP ROLE reader`,
	},
	{
		title: "grant on a schema", token: "grant", id: "reader_Work 1_app_schema",
		in:      props{"role": txt("reader"), "database": txt("Work 1"), "schema": txt("app"), "objectType": txt("schema"), "privileges": strs("USAGE")},
		changed: props{"role": txt("reader"), "database": txt("Work 1"), "schema": txt("app"), "objectType": txt("schema"), "privileges": strs("ALL")},
		drift:   `REVOKE USAGE ON SCHEMA app FROM reader`, drifted: "privileges",
		vanish: `DROP SCHEMA app CASCADE`,
	},
	{
		title: "grant on all tables", token: "grant", id: "reader_Work 1_app_table",
		in:      props{"role": txt("reader"), "database": txt("Work 1"), "schema": txt("app"), "objectType": txt("table"), "privileges": strs("SELECT")},
		changed: props{"role": txt("reader"), "database": txt("Work 1"), "schema": txt("app"), "objectType": txt("table"), "privileges": strs("SELECT", "INSERT")},
		drift:   `CREATE TABLE app.late ()`, drifted: "privileges",
		vanish: `DROP SCHEMA app CASCADE`,
	},
	{
		title: "grant on named tables", token: "grant", id: "reader_Work 1_app_table_U_v",
		in:       props{"role": txt("reader"), "database": txt("Work 1"), "schema": txt("app"), "objectType": txt("table"), "objects": strs("v", "U"), "privileges": strs("SELECT")},
		changed:  props{"role": txt("reader"), "database": txt("Work 1"), "schema": txt("app"), "objectType": txt("table"), "objects": strs("U", "v"), "privileges": strs("SELECT", "UPDATE")},
		replaces: props{"role": txt("reader"), "database": txt("Work 1"), "schema": txt("app"), "objectType": txt("table"), "objects": strs("U"), "privileges": strs("SELECT")},
		drift:    `REVOKE SELECT ON app."U" FROM reader`, drifted: "privileges",
		vanish: `DROP SCHEMA app CASCADE`,
	},
	{
		title: "grant on sequences", token: "grant", id: "reader_Work 1_app_sequence",
		in:      props{"role": txt("reader"), "database": txt("Work 1"), "schema": txt("app"), "objectType": txt("sequence"), "privileges": strs("USAGE", "SELECT")},
		changed: props{"role": txt("reader"), "database": txt("Work 1"), "schema": txt("app"), "objectType": txt("sequence"), "privileges": strs("USAGE")},
		drift:   `REVOKE ALL ON SEQUENCE app.t_id_seq FROM reader`, drifted: "privileges",
		vanish: `DROP SCHEMA app CASCADE`,
	},
	{
		title: "revoke of functions from everyone", token: "grant", id: "public_Work 1_app_function",
		in:      props{"role": txt("public"), "database": txt("Work 1"), "schema": txt("app"), "objectType": txt("function"), "privileges": strs()},
		changed: props{"role": txt("public"), "database": txt("Work 1"), "schema": txt("app"), "objectType": txt("function"), "privileges": strs("EXECUTE")},
		drift:   `GRANT EXECUTE ON FUNCTION app.f TO public`, drifted: "privileges",
		vanish: `DROP SCHEMA app CASCADE`,
	},
	{
		title: "default privileges in a schema", token: "defaultPrivileges", id: "reader_Work 1_app_Own er_table",
		in:       props{"role": txt("reader"), "database": txt("Work 1"), "schema": txt("app"), "owner": txt("Own er"), "objectType": txt("table"), "privileges": strs("SELECT")},
		changed:  props{"role": txt("reader"), "database": txt("Work 1"), "schema": txt("app"), "owner": txt("Own er"), "objectType": txt("table"), "privileges": strs("ALL")},
		replaces: props{"role": txt("reader"), "database": txt("Work 1"), "owner": txt("Own er"), "objectType": txt("table"), "privileges": strs("SELECT")},
		drift:    `ALTER DEFAULT PRIVILEGES FOR ROLE "Own er" IN SCHEMA app GRANT INSERT ON TABLES TO reader`, drifted: "privileges",
		vanish: `ALTER DEFAULT PRIVILEGES FOR ROLE "Own er" IN SCHEMA app REVOKE ALL ON TABLES FROM reader`,
	},
	{
		title: "default privileges on sequences everywhere", token: "defaultPrivileges", id: "reader_Work 1_noschema_Own er_sequence",
		in:      props{"role": txt("reader"), "database": txt("Work 1"), "owner": txt("Own er"), "objectType": txt("sequence"), "privileges": strs("USAGE")},
		changed: props{"role": txt("reader"), "database": txt("Work 1"), "owner": txt("Own er"), "objectType": txt("sequence"), "privileges": strs("USAGE", "SELECT")},
		drift:   `ALTER DEFAULT PRIVILEGES FOR ROLE "Own er" GRANT UPDATE ON SEQUENCES TO reader`, drifted: "privileges",
		vanish: `ALTER DEFAULT PRIVILEGES FOR ROLE "Own er" REVOKE ALL ON SEQUENCES FROM reader`,
	},
	{
		title: "no functions for everyone by default", token: "defaultPrivileges", id: "public_Work 1_noschema_Own er_function",
		in:      props{"role": txt("public"), "database": txt("Work 1"), "owner": txt("Own er"), "objectType": txt("function"), "privileges": strs()},
		changed: props{"role": txt("public"), "database": txt("Work 1"), "owner": txt("Own er"), "objectType": txt("function"), "privileges": strs("EXECUTE")},
		drift:   `ALTER DEFAULT PRIVILEGES FOR ROLE "Own er" GRANT EXECUTE ON FUNCTIONS TO public`, drifted: "privileges",
		vanish: `REASSIGN OWNED BY "Own er" TO postgres; DROP OWNED BY "Own er"; DROP ROLE "Own er"`,
	},
	{
		title: "membership", token: "grantRole", id: "reader_grp_false",
		in:       props{"role": txt("reader"), "grantRole": txt("grp")},
		replaces: props{"role": txt("reader"), "grantRole": txt("grp"), "withAdminOption": flag(true)},
		drift:    `GRANT grp TO reader WITH ADMIN OPTION`, drifted: "withAdminOption",
		vanish: `REVOKE grp FROM reader`,
	},
}

func TestLifecycles(t *testing.T) {
	for _, life := range lifecycles {
		t.Run(life.title, func(t *testing.T) {
			inWorkplace(t)
			if life.token == "extension" {
				do(t, "Work 1", "DROP EXTENSION plpgsql")
			}
			l := begin(t, life.token)
			if seen := l.Preview(life.in); life.unknown != "" && !seen.Get(life.unknown).IsComputed() {
				t.Errorf("expected %s unknown at preview, found %v", life.unknown, seen)
			}
			l.MustUp(life.in)
			if l.ID != life.id {
				t.Errorf("expected id %q, found %q", life.id, l.ID)
			}
			expectDiff(l, life.in, "")
			if !l.Refresh() {
				t.Fatal("a refresh lost it")
			}
			expectDiff(l, life.in, "")
			if life.replaces != nil {
				if diff := l.Diff(life.replaces); len(diff.Replaces) == 0 || !diff.DeleteBeforeReplace {
					t.Errorf("expected a replace, found %v", diff)
				}
			}
			if life.drift != "" {
				do(t, "Work 1", life.drift)
				l.Refresh()
				expectDiff(l, life.in, life.drifted)
				l.MustUp(life.in)
				expectDiff(l, life.in, "")
			}
			if life.changed != nil {
				if diff := l.Diff(life.changed); diff.Changes != rpc.DiffResponse_DIFF_SOME || len(diff.Replaces) > 0 {
					t.Errorf("expected an update, found %v", diff)
				}
				l.MustUp(life.changed)
				l.Refresh()
				expectDiff(l, life.changed, "")
			}
			if err := l.Delete(); err != nil {
				t.Fatal(err)
			}
			again := begin(t, life.token)
			again.MustUp(life.in)
			do(t, vanishPlace(life.token), life.vanish)
			kept := *again
			if again.Refresh() {
				t.Error("a refresh kept what is gone:", again.State)
			}
			if err := kept.Delete(); err != nil {
				t.Error("a delete of what is gone failed:", err)
			}
		})
	}
}

func vanishPlace(token string) string {
	if token == "database" {
		return "postgres"
	}
	return "Work 1"
}

// expectDiff wants differences in properties, by name, or none.
func expectDiff(l *life, in props, name string) {
	l.Helper()
	found := []string{}
	for property := range l.Diff(in).DetailedDiff {
		found = append(found, property)
	}
	slices.Sort(found)
	if strings.Join(found, " ") != name {
		l.Errorf("expected the differences %q, found %q", name, found)
	}
}
