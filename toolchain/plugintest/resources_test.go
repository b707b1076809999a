package plugintest

import (
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"

	"pgstack/toolchain/internal/postgresql"

	"github.com/pulumi/pulumi/sdk/v3/go/property"
	rpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// postgresqlPlugin serves the plugin on the test's server; the SDK sends what is no text as JSON text.
func postgresqlPlugin(t *testing.T) rpc.ResourceProviderServer {
	t.Helper()
	return serveFor(t, "postgresql", postgresql.New(), props{
		"host": txt("127.0.0.1"), "port": txt(fmt.Sprint(cluster.port)), "username": txt("postgres"),
		"password": txt(adminPassword).WithSecret(true), "sslmode": txt("disable"), "superuser": txt("true"), "connectTimeout": txt("10"),
	})
}

func begin(t *testing.T, name string) *life {
	t.Helper()
	token := fmt.Sprintf("postgresql:index/%s:%s%s", name, strings.ToUpper(name[:1]), name[1:])
	return beginOf(t, postgresqlPlugin(t), token)
}

// inWorkplace makes a database with an owner, two other roles, and a schema with tables, a view, a sequence and a function.
func inWorkplace(t *testing.T) {
	t.Helper()
	do(t, "postgres", `DROP DATABASE IF EXISTS "Work 1" WITH (FORCE)`, `DROP ROLE IF EXISTS reader`, `DROP ROLE IF EXISTS "Own er"`, `DROP ROLE IF EXISTS grp`,
		`CREATE ROLE "Own er"`, `CREATE ROLE reader`, `CREATE ROLE grp`, `CREATE DATABASE "Work 1" OWNER "Own er" TEMPLATE template0`)
	do(t, "Work 1", `SET ROLE "Own er"; CREATE SCHEMA app; CREATE TABLE app.t (id serial, "E mail" text); CREATE TABLE app."U" (id int);
		CREATE VIEW app.v AS SELECT 1; CREATE FUNCTION app.f(int) RETURNS int LANGUAGE sql AS 'SELECT $1'`)
	t.Cleanup(func() {
		do(t, "postgres", `DROP DATABASE IF EXISTS "Work 1" WITH (FORCE)`, `DROP ROLE IF EXISTS reader`, `DROP ROLE IF EXISTS "Own er"`, `DROP ROLE IF EXISTS grp`)
	})
}

// verifier is a SCRAM verifier, by which the program names every password, of `the password`.
const verifier = "SCRAM-SHA-256$4096:c2FsdHNhbHRzYWx0c2FsdA==$cdLQDvuX2QkSPUcyAWun/LafsLBDa+CLNoRSwi6KKTQ=:3jLKoWKj5Efm/m8PbTNnMdUTWVd4MmdPTotneW52Hwk="

func TestAPasswordIsPassedOnAsItIsAndStaysASecret(t *testing.T) {
	do(t, "postgres", `DROP ROLE IF EXISTS secretive`)
	l := begin(t, "role")
	l.MustUp(props{"name": txt("secretive"), "login": flag(true), "password": txt(verifier).WithSecret(true)})
	if !l.State.Get("password").Secret() {
		t.Error("the password is no secret in state")
	}
	if _, err := as(t, "postgres", "secretive", "the password").Exec("SELECT 1"); err != nil {
		t.Error("it does not log in:", err)
	}
	l.MustUp(props{"name": txt("secretive"), "login": flag(true)})
	if got := one(t, "postgres", "SELECT coalesce(rolpassword, 'none') FROM pg_authid WHERE rolname = 'secretive'"); got != "none" {
		t.Error("found", got)
	}
	if err := l.Delete(); err != nil {
		t.Fatal(err)
	}
}

// An import knows what the server knows. Flags for the plugin alone differ until the program's are in state, as they do with
// the official plugin: the program ignores them in what it imports.
func TestImport(t *testing.T) {
	inWorkplace(t)
	do(t, "postgres", `ALTER ROLE reader CONNECTION LIMIT 4`)
	for _, test := range []struct {
		token, id string
		same      props
		flags     string
	}{
		{"role", "reader", props{"name": txt("reader"), "connectionLimit": num(4)}, ""},
		{"database", "Work 1", props{"name": txt("Work 1"), "owner": txt("Own er"), "encoding": txt("UTF8"), "template": txt("template0")}, "alterObjectOwnership"},
		{"schema", "Work 1.app", props{"name": txt("app"), "database": txt("Work 1"), "owner": txt("Own er")}, "dropCascade ifNotExists"},
		{"extension", "Work 1.plpgsql", props{"name": txt("plpgsql"), "database": txt("Work 1")}, "createCascade dropCascade"},
	} {
		l := begin(t, test.token)
		if err := l.Import(test.id); err != nil || l.ID != test.id {
			t.Errorf("%s: found id %q, %v", test.token, l.ID, err)
			continue
		}
		expectDiff(l, test.same, test.flags)
		l.Ignore = strings.Fields(test.flags)
		expectDiff(l, test.same, "")
	}
	l := begin(t, "role")
	if err := l.Import("nobody at all"); err != nil || l.ID != "" {
		t.Error("expected nothing to import, found", l.ID, err)
	}
	if err := begin(t, "grant").Import("reader_Work 1_database"); err == nil {
		t.Error("expected a grant's import to be refused")
	}
}

func TestRenamesKeepTheObject(t *testing.T) {
	do(t, "postgres", `DROP ROLE IF EXISTS before`, `DROP ROLE IF EXISTS after`)
	l := begin(t, "role")
	l.MustUp(props{"name": txt("before")})
	oid := one(t, "postgres", "SELECT oid FROM pg_roles WHERE rolname = 'before'")
	l.MustUp(props{"name": txt("after")})
	if got := one(t, "postgres", "SELECT oid FROM pg_roles WHERE rolname = 'after'"); got != oid {
		t.Error("renaming made another role")
	}
	if !l.Refresh() || l.ID != "after" {
		t.Error("a refresh lost the renamed role, found", l.ID)
	}
	if err := l.Delete(); err != nil {
		t.Error(err)
	}
}

func TestDroppingARoleHandsItsObjectsOver(t *testing.T) {
	do(t, "postgres", `DROP ROLE IF EXISTS leaver`)
	l := begin(t, "role")
	l.MustUp(props{"name": txt("leaver")})
	do(t, "postgres", `CREATE TABLE left_over ()`, `ALTER TABLE left_over OWNER TO leaver`)
	defer do(t, "postgres", `DROP TABLE left_over`)
	if err := l.Delete(); err != nil {
		t.Fatal(err)
	}
	if owner := one(t, "postgres", `SELECT tableowner FROM pg_tables WHERE tablename = 'left_over'`); owner != "postgres" {
		t.Error("found owner", owner)
	}
}

func TestARoleInUseElsewhereIsNotDroppedAndTheErrorSaysWhy(t *testing.T) {
	inWorkplace(t)
	l := begin(t, "role")
	if err := l.Import("Own er"); err != nil {
		t.Fatal(err)
	}
	if err := l.Delete(); err == nil || !strings.Contains(err.Error(), "Work 1") {
		t.Error("expected the database that it owns to be named, found", err)
	}
}

// So it is with the official plugin: a program that grants memberships by themselves ignores the role's own list.
func TestMembershipsAreDriftOfARoleUnlessIgnored(t *testing.T) {
	inWorkplace(t)
	l := begin(t, "role")
	in := props{"name": txt("member")}
	l.MustUp(in)
	do(t, "postgres", `GRANT grp TO member`)
	l.Refresh()
	expectDiff(l, in, "roles")
	l.Ignore = []string{"roles"}
	expectDiff(l, in, "")
	do(t, "postgres", `CREATE ROLE later`, `GRANT later TO member`)
	defer do(t, "postgres", `DROP ROLE later`)
	l.MustUp(props{"name": txt("member"), "login": flag(true)}) // knows of no membership but those in state
	if got := one(t, "postgres", `SELECT count(*) FROM pg_auth_members WHERE pg_get_userbyid(member) = 'member'`); got != "1" {
		t.Error("found memberships:", got)
	}
	if err := l.Delete(); err != nil {
		t.Error(err)
	}
}

func TestUnknownInputsArePreviewedWithoutAServer(t *testing.T) {
	server := serveFor(t, "postgresql", postgresql.New(), props{"host": unknown(), "port": txt("1")})
	l := beginOf(t, server, "postgresql:index/grant:Grant")
	seen := l.Preview(props{"role": unknown(), "database": txt("d"), "objectType": txt("database"), "privileges": strs("CONNECT")})
	if !seen.Get("role").IsComputed() || seen.Get("database").AsString() != "d" {
		t.Error("found", seen)
	}
}

func TestWrongInputsAreRefusedAtPreview(t *testing.T) {
	grant := props{"role": txt("r"), "database": txt("d"), "schema": txt("s"), "objectType": txt("table"), "privileges": strs("SELECT")}
	for _, test := range []struct {
		token, name string
		value       property.Value
	}{
		{"grant", "objectType", txt("foreign_server")},
		{"grant", "privileges", strs("SELECT; DROP TABLE t")},
		{"grant", "privileges", strs("USAGE")},
		{"grant", "columns", strs("c")},
		{"grant", "objects", txt("t")},
		{"role", "encryptedPassword", flag(false)},
		{"role", "skipDropRole", flag(true)},
		{"role", "passwordWo", txt("x")},
		{"role", "connectionLimit", txt("many")},
	} {
		in := props{"name": txt("n")}
		if test.token == "grant" {
			in = maps.Clone(grant)
		}
		in[test.name] = test.value
		if _, failures := begin(t, test.token).Check(in); len(failures) != 1 || failures[0].Property != test.name {
			t.Errorf("%s %s: found %v", test.token, test.name, failures)
		}
	}
}

func TestAnExistingRoleIsNotTakenOver(t *testing.T) {
	if err := begin(t, "role").Up(props{"name": txt("postgres")}); err == nil || !strings.Contains(err.Error(), "already exists") {
		t.Error("found", err)
	}
}

func TestManyGrantsOnOneDatabaseAtOnceFromTwoPlugins(t *testing.T) {
	inWorkplace(t)
	lives := []*life{}
	plugins := []rpc.ResourceProviderServer{postgresqlPlugin(t), postgresqlPlugin(t)}
	for i := range 12 {
		role := fmt.Sprintf("crowd_%d", i)
		do(t, "postgres", `DROP ROLE IF EXISTS `+role, `CREATE ROLE `+role)
		t.Cleanup(func() { do(t, "postgres", `DROP ROLE `+role) })
		lives = append(lives, beginOf(t, plugins[i%2], "postgresql:index/grant:Grant"))
	}
	together := func(step func(i int, l *life) error) {
		var wait sync.WaitGroup
		for i, l := range lives {
			wait.Go(func() {
				if err := step(i, l); err != nil {
					t.Error(err)
				}
			})
		}
		wait.Wait()
	}
	together(func(i int, l *life) error {
		return l.Up(props{"role": txt(fmt.Sprintf("crowd_%d", i)), "database": txt("Work 1"), "objectType": txt("database"), "privileges": strs("CONNECT")})
	})
	if got := one(t, "postgres", `SELECT count(*) FROM pg_database, aclexplode(datacl) a JOIN pg_roles r ON r.oid = grantee WHERE datname = 'Work 1' AND rolname LIKE 'crowd%'`); got != "12" {
		t.Error("found grants:", got)
	}
	together(func(_ int, l *life) error { return l.Delete() })
}

func TestAUserWhoIsNoSuperuserManagesWhatOthersOwn(t *testing.T) {
	inWorkplace(t)
	do(t, "postgres", `DROP ROLE IF EXISTS manager`, `CREATE ROLE manager LOGIN CREATEROLE CREATEDB PASSWORD 'm'`)
	t.Cleanup(func() { do(t, "postgres", `DROP DATABASE IF EXISTS managed`, `DROP ROLE manager`) })
	server := serveFor(t, "postgresql", postgresql.New(), props{
		"host": txt("127.0.0.1"), "port": txt(fmt.Sprint(cluster.port)), "username": txt("manager"), "password": txt("m"), "sslmode": txt("disable"), "superuser": txt("false"),
	})
	for _, test := range []struct {
		token string
		in    props
	}{
		{"database:Database", props{"name": txt("managed"), "owner": txt("Own er")}},
		{"grant:Grant", props{"role": txt("reader"), "database": txt("Work 1"), "schema": txt("app"), "objectType": txt("table"), "privileges": strs("SELECT")}},
		{"defaultPrivileges:DefaultPrivileges", props{"role": txt("reader"), "database": txt("Work 1"), "owner": txt("Own er"), "objectType": txt("table"), "privileges": strs("SELECT")}},
	} {
		l := beginOf(t, server, "postgresql:index/"+test.token)
		l.MustUp(test.in)
		expectDiff(l, test.in, "")
		if err := l.Delete(); err != nil {
			t.Error(err)
		}
	}
	if got := one(t, "postgres", `SELECT count(*) FROM pg_auth_members WHERE pg_get_userbyid(member) = 'manager'`); got != "0" {
		t.Error("memberships were left behind:", got)
	}
}
