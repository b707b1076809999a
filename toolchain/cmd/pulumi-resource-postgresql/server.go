package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/lib/pq"
)

// server is one PostgreSQL server as the provider's configuration names it. It connects when first needed.
type server struct {
	config    pq.Config
	superuser bool // whether the program says that the user is one
	writing   sync.Mutex
	lock      sync.Mutex
	databases map[string]*sql.DB
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
	db := sql.OpenDB(connector)
	db.SetMaxIdleConns(-1)
	db.SetMaxOpenConns(4)
	s.databases[config.Database] = db
	return db, nil
}

// writeLock is taken by each writing transaction, so that two stacks on one database do not change one catalog row at once.
const writeLock = 0x7067737461636b

// inTransaction runs fn in one transaction on a database. One at a time; a clash with another process is tried again.
func (s *server) inTransaction(ctx context.Context, database string, fn func(*sql.Tx) error) error {
	return s.write(ctx, database, func(db *sql.DB) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback()
		if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock($1)", writeLock); err != nil {
			return err
		}
		if err := fn(tx); err != nil {
			return err
		}
		return tx.Commit()
	})
}

// write runs fn, outside a transaction, under the same rules.
func (s *server) write(ctx context.Context, database string, fn func(*sql.DB) error) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	db, err := s.open(database)
	if err != nil {
		return err
	}
	for wait := 50 * time.Millisecond; ; wait *= 2 {
		if err = fn(db); !isClash(err) || wait > 5*time.Second {
			return explain(err)
		}
		select {
		case <-time.After(wait + rand.N(wait)):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// read gives rows to scan, one call for each.
func (s *server) read(ctx context.Context, database string, scan func(*sql.Rows) error, query string, args ...any) error {
	db, err := s.open(database)
	if err != nil {
		return err
	}
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return explain(err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return explain(rows.Err())
}

// exists tells whether a query finds a row.
func (s *server) exists(ctx context.Context, database, query string, args ...any) (found bool, err error) {
	err = s.read(ctx, database, func(*sql.Rows) error { found = true; return nil }, query, args...)
	return found, err
}

// isClash tells whether another session was in the way for the moment only.
func isClash(err error) bool {
	var fault *pq.Error
	if !errors.As(err, &fault) {
		return false
	}
	concurrent := fault.Message == "tuple concurrently updated" || fault.Message == "tuple concurrently deleted" ||
		fault.Code == "23505" && fault.Schema == "pg_catalog" // two made the same catalog row
	return concurrent || slices.Contains([]string{"40001", "40P01", "55006"}, string(fault.Code))
}

// hasCode tells whether the server refused with one of these SQLSTATEs.
func hasCode(err error, codes ...string) bool {
	var fault *pq.Error
	return errors.As(err, &fault) && slices.Contains(codes, string(fault.Code))
}

// explain adds what the driver's own text leaves out: the objects in the way, and the advice.
func explain(err error) error {
	var fault *pq.Error
	if !errors.As(err, &fault) || fault.Detail+fault.Hint == "" {
		return err
	}
	if fault.Detail != "" {
		err = fmt.Errorf("%w\n%s", err, fault.Detail)
	}
	if fault.Hint != "" {
		err = fmt.Errorf("%w\n%s", err, fault.Hint)
	}
	return err
}

func exec(ctx context.Context, on interface {
	ExecContext(context.Context, string, ...any) (sql.Result, error)
}, format string, args ...any,
) error {
	_, err := on.ExecContext(ctx, fmt.Sprintf(format, args...))
	return err
}
