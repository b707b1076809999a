package postgresql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/lib/pq"
	"golang.org/x/net/proxy"
)

// server is one PostgreSQL server as the provider's configuration names it. It connects when first needed.
type server struct {
	config    pq.Config
	writing   sync.Mutex
	lock      sync.Mutex
	databases map[string]*sql.DB
}

// newServer reads the provider's configuration, in which the SDK sends numbers as text; what it leaves out comes from the
// PG* variables.
func newServer(args values) (*server, error) {
	config, err := pq.NewConfig("dbname=postgres")
	if err != nil {
		return nil, fmt.Errorf("the PG* environment variables cannot be used: %w", err)
	}
	for name, target := range map[string]*string{
		"host": &config.Host, "database": &config.Database, "username": &config.User, "password": &config.Password,
		"sslrootcert": &config.SSLRootCert, "sslmode": (*string)(&config.SSLMode),
	} {
		if given := args.str(name); given != "" {
			*target = given
		}
	}
	config.Host = strings.Trim(config.Host, "[]") // of an IPv6 address, as the official plugin needs them
	if port, err := strconv.ParseUint(args.str("port"), 10, 16); err == nil {
		config.Port = uint16(port)
	}
	if seconds, err := strconv.Atoi(args.str("connectTimeout")); err == nil {
		config.ConnectTimeout = time.Duration(seconds) * time.Second
	}
	config.ApplicationName = "Pulumi provider"
	return &server{config: config, databases: map[string]*sql.DB{}}, nil
}

// open gives the pool of one database; "" is the provider's own. It keeps no idle session, because one would be in the
// way of whoever drops, renames or copies the database next.
func (s *server) open(database string) (*sql.DB, error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	config := s.config
	if database != "" {
		config.Database = database
	}
	if db := s.databases[config.Database]; db != nil {
		return db, nil
	}
	connector, err := pq.NewConnectorConfig(config)
	if err != nil {
		return nil, err
	}
	connector.Dialer(proxyDialer{})
	db := sql.OpenDB(connector)
	db.SetMaxIdleConns(-1)
	db.SetMaxOpenConns(4)
	s.databases[config.Database] = db
	return db, nil
}

// proxyDialer connects by the proxy that ALL_PROXY names, as the official plugin does.
type proxyDialer struct{}

func (proxyDialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return proxy.Dial(ctx, network, address)
}

func (d proxyDialer) Dial(network, address string) (net.Conn, error) {
	return d.DialContext(context.Background(), network, address)
}

func (d proxyDialer) DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return d.DialContext(ctx, network, address)
}

// query gives the one row of a query for JSON, which takes properties as JSON; nil for no row.
func (s *server) query(ctx context.Context, database, query string, of values) (values, error) {
	db, err := s.open(database)
	if err != nil {
		return nil, err
	}
	given, err := of.json()
	if err != nil {
		return nil, err
	}
	var found []byte
	switch err := db.QueryRowContext(ctx, query, given).Scan(&found); {
	case errors.Is(err, sql.ErrNoRows):
		return nil, nil
	case err != nil:
		return nil, explain(err)
	}
	return fromJSON(found)
}

// change makes an object where there is no old one, removes it where nothing is asked for, and else alters it. One at a
// time; a clash with another process is tried again.
func (s *server) change(ctx context.Context, known resourceType, old, in values) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	place := old.str(known.place) // a rename comes with the statements
	if old == nil {
		place = in.str(known.place)
	}
	db, err := s.open(place)
	if err != nil {
		return err
	}
	for wait := 50 * time.Millisecond; ; wait *= 2 {
		err = attempt(ctx, db, !known.outside, func(on *sql.Conn) error { return known.run(ctx, on, old, in) })
		if !isClash(err) || wait > 5*time.Second {
			return explain(err)
		}
		select {
		case <-time.After(wait + rand.N(wait)):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (known resourceType) run(ctx context.Context, on *sql.Conn, old, in values) error {
	if in != nil {
		return asMember(ctx, on, known.owners, []values{old, in}, func() error { return execAll(ctx, on, known.write(old, in)...) })
	}
	err := asMember(ctx, on, known.owners+known.removers, []values{old}, func() error { return execAll(ctx, on, known.remove(old)...) })
	if err == nil && known.drop != nil {
		err = execAll(ctx, on, known.drop(old))
	}
	return err
}

// writeLock is taken by each writing transaction, so that two stacks on one database do not change one catalog row at once.
const writeLock = "SELECT pg_advisory_xact_lock(x'7067737461636b'::bigint)"

// attempt runs fn on one connection; a transaction that it does not end is rolled back as the connection is closed.
func attempt(ctx context.Context, db *sql.DB, inTransaction bool, fn func(*sql.Conn) error) error {
	on, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer on.Close()
	if !inTransaction {
		return fn(on)
	}
	if err := execAll(ctx, on, "BEGIN", writeLock); err != nil {
		return err
	}
	if err := fn(on); err != nil {
		return err
	}
	return execAll(ctx, on, "COMMIT")
}

// asMember runs fn as a member of the roles that a query names, which a user who is no superuser has to be to change what
// is theirs. The memberships end with it.
func asMember(ctx context.Context, on *sql.Conn, owners string, of []values, fn func() error) error {
	for _, v := range of {
		if owners == "" || v == nil {
			continue
		}
		given, err := v.json()
		if err != nil {
			return err
		}
		var roles []string
		err = on.QueryRowContext(ctx, "SELECT array_agg(quote_ident(rolname)) FROM pg_roles WHERE rolname IN ("+owners+
			") AND NOT pg_has_role(current_user, oid, 'USAGE')", given).Scan(pq.Array(&roles))
		if err != nil {
			return err
		}
		for _, role := range roles {
			if err := execAll(ctx, on, "GRANT "+role+" TO CURRENT_USER"); err != nil {
				return fmt.Errorf("could not become a member of role %s, to whom this belongs: %w", role, err)
			}
			defer execAll(context.WithoutCancel(ctx), on, "REVOKE "+role+" FROM CURRENT_USER")
		}
	}
	return fn()
}

func execAll(ctx context.Context, on *sql.Conn, statements ...string) error {
	for _, statement := range statements {
		if _, err := on.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// isClash tells whether another session was in the way for the moment only.
func isClash(err error) bool {
	var fault *pq.Error
	if !errors.As(err, &fault) {
		return false
	}
	concurrent := fault.Message == "tuple concurrently updated" || fault.Message == "tuple concurrently deleted" ||
		fault.Code == "23505" && fault.Schema == "pg_catalog" // two made the same catalog row
	return concurrent || hasCode(err, "40001", "40P01", "55006")
}

const invalidCatalogName = "3D000"

// isGone tells whether a delete failed because the object, or what it is in, is not there any more: with a database,
// schema, role or named table go its privileges.
func isGone(err error, old values) bool {
	return hasCode(err, invalidCatalogName, "3F000", "42704") || len(old.set("objects")) == 1 && hasCode(err, "42P01")
}

// hasCode tells whether the server refused with one of these SQLSTATEs.
func hasCode(err error, codes ...string) bool {
	var fault *pq.Error
	return errors.As(err, &fault) && slices.Contains(codes, string(fault.Code))
}

// explain adds what the driver's own text leaves out: the objects in the way, and the advice.
func explain(err error) error {
	var fault *pq.Error
	if !errors.As(err, &fault) {
		return err
	}
	for _, more := range []string{fault.Detail, fault.Hint} {
		if more != "" {
			err = fmt.Errorf("%w\n%s", err, more)
		}
	}
	return err
}
