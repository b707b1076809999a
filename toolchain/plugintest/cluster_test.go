package plugintest

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"net"
	"os"
	osexec "os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/lib/pq"
)

const adminPassword = "admin's \\ secret"

// cluster is the server of all tests here: a throwaway of their own, on a free port.
var cluster struct {
	port int
	log  string
}

func TestMain(m *testing.M) {
	code, err := withCluster(m.Run)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func withCluster(run func() int) (code int, err error) {
	dir, err := os.MkdirTemp("", "pg-plugin-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	identity, err := serverIdentity(dir)
	if err != nil {
		return 1, err
	}
	if cluster.port, err = freePort(); err != nil {
		return 1, err
	}
	data := filepath.Join(dir, "data")
	cluster.log = filepath.Join(dir, "log")
	password := filepath.Join(dir, "password")
	if err := os.WriteFile(password, []byte(adminPassword+"\n"), 0o644); err != nil {
		return 1, err
	}
	settings := fmt.Sprintf("-p %d -k '' -c listen_addresses=127.0.0.1 -c fsync=off -c log_statement=all", cluster.port)
	for _, args := range [][]string{
		{"initdb", "-D", data, "-U", "postgres", "-A", "scram-sha-256", "--pwfile", password, "-N", "-E", "UTF8", "--locale", "C"},
		{"pg_ctl", "-D", data, "-w", "-l", cluster.log, "-o", settings, "start"},
	} {
		if err := runProgram(identity, args...); err != nil {
			return 1, err
		}
	}
	defer runProgram(identity, "pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")
	return run(), nil
}

// serverIdentity is another user where this is root, since PostgreSQL refuses to run as root.
func serverIdentity(dir string) (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		if account, err := user.Lookup(name); err == nil {
			uid, _ := strconv.Atoi(account.Uid)
			gid, _ := strconv.Atoi(account.Gid)
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, os.Chown(dir, uid, gid)
		}
	}
	return nil, fmt.Errorf("expected a user postgres or nobody to run the server as, found neither")
}

func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}

func runProgram(identity *syscall.Credential, args ...string) error {
	cmd := osexec.Command(findProgram(args[0]), args[1:]...)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: identity}
	var output bytes.Buffer
	cmd.Stderr = &output // not its output, which the server would keep open
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w\n%s", args[0], err, output.String())
	}
	return nil
}

func findProgram(name string) string {
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin/", "/usr/pgsql-*/bin/", "/opt/homebrew/opt/postgresql@*/bin/"} {
		if found, _ := filepath.Glob(pattern + name); len(found) > 0 {
			return found[len(found)-1]
		}
	}
	return name
}

// as opens a database as a user, for as long as the test lasts.
func as(t *testing.T, database, role, password string) *sql.DB {
	t.Helper()
	config, err := pq.NewConfig("sslmode=disable host=127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	config.Port, config.User, config.Password, config.Database = uint16(cluster.port), role, password, database
	connector, err := pq.NewConnectorConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	t.Cleanup(func() { db.Close() })
	return db
}

// do runs statements as the administrator.
func do(t *testing.T, database string, statements ...string) {
	t.Helper()
	db := as(t, database, "postgres", adminPassword)
	for _, statement := range statements {
		if _, err := db.Exec(statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// one gives the text of a query's single value.
func one(t *testing.T, database, query string, args ...any) (value string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := as(t, database, "postgres", adminPassword).QueryRowContext(ctx, query, args...).Scan(&value); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return value
}
