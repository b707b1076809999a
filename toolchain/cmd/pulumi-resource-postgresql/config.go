package main

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/lib/pq"
)

// newServer reads the provider's configuration; what it leaves out comes from the PG* variables.
func newServer(args values) (*server, error) {
	config, err := pq.NewConfig("")
	if err != nil {
		return nil, fmt.Errorf("the PG* environment variables cannot be used: %w", err)
	}
	s := &server{config: config, superuser: true, databases: map[string]*sql.DB{}}
	for name, target := range map[string]*string{
		"host": &s.config.Host, "database": &s.config.Database, "username": &s.config.User,
		"password": &s.config.Password, "sslrootcert": &s.config.SSLRootCert,
	} {
		if given := args.str(name); given != "" {
			*target = given
		}
	}
	if s.config.Database == "" {
		s.config.Database = "postgres"
	}
	if port := args.integer("port"); port != 0 {
		s.config.Port = uint16(port)
	}
	if seconds := args.integer("connectTimeout"); seconds != 0 {
		s.config.ConnectTimeout = time.Duration(seconds) * time.Second
	}
	for _, name := range []string{"sslMode", "sslmode"} {
		if given := args.str(name); given != "" {
			s.config.SSLMode = pq.SSLMode(given)
		}
	}
	if _, given := args["superuser"]; given {
		s.superuser = args.boolean("superuser")
	}
	s.config.ApplicationName = "Pulumi provider"
	return s, s.setClientCertificate(args)
}

// setClientCertificate reads the nested property, which the SDK sends as JSON text.
func (s *server) setClientCertificate(args values) error {
	var certificate struct {
		Cert, Key string
		SSLInline bool
	}
	if given := args.str("clientcert"); given != "" {
		if err := json.Unmarshal([]byte(given), &certificate); err != nil {
			return errors.New("clientcert: expected an object with cert and key")
		}
		s.config.SSLCert, s.config.SSLKey, s.config.SSLInline = certificate.Cert, certificate.Key, certificate.SSLInline
	}
	return nil
}
