package main

import (
	"context"
	"crypto/hmac"
	"crypto/md5"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/lib/pq"
	"github.com/pulumi/pulumi/sdk/v3/go/property"
	"golang.org/x/text/unicode/norm"
)

const scramPrefix = "SCRAM-SHA-256$"

// passwordClause is the PASSWORD option of CREATE and ALTER ROLE. It holds the hash that the server would make, so that
// no password reaches the server's log, or pg_stat_statements, in clear.
func passwordClause(ctx context.Context, tx *sql.Tx, in values) (string, error) {
	password := in.str("password")
	if password == "" || strings.EqualFold(password, "null") {
		return "PASSWORD NULL", nil
	}
	var encryption string
	if err := tx.QueryRowContext(ctx, "SHOW password_encryption").Scan(&encryption); err != nil {
		return "", err
	}
	hash, err := hashPassword(password, in.str("name"), encryption)
	return "ENCRYPTED PASSWORD " + pq.QuoteLiteral(hash), err
}

func hashPassword(password, role, encryption string) (string, error) {
	switch {
	case strings.HasPrefix(password, scramPrefix), len(password) == 35 && strings.HasPrefix(password, "md5"):
		return password, nil
	case encryption != "scram-sha-256":
		sum := md5.Sum([]byte(password + role))
		return "md5" + hex.EncodeToString(sum[:]), nil
	}
	salt := make([]byte, 16)
	rand.Read(salt)
	return scramVerifier(password, salt, 4096)
}

// scramVerifier is what PostgreSQL stores for a password (RFC 5803), by its own form: scheme$iterations:salt$stored:server.
func scramVerifier(password string, salt []byte, iterations int) (string, error) {
	if utf8.ValidString(password) {
		password = norm.NFKC.String(password) // the part of SASLprep that changes a printable password
	}
	salted, err := pbkdf2.Key(sha256.New, password, salt, iterations, sha256.Size)
	if err != nil {
		return "", err
	}
	stored := sha256.Sum256(mac(salted, "Client Key"))
	encode := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("%s%d:%s$%s:%s", scramPrefix, iterations, encode(salt), encode(stored[:]), encode(mac(salted, "Server Key"))), nil
}

func mac(key []byte, text string) []byte {
	hash := hmac.New(sha256.New, key)
	hash.Write([]byte(text))
	return hash.Sum(nil)
}

// readPassword finds out, where the provider's user is a superuser, whether the role still has the password that state
// knows. The password itself cannot be read back.
func readPassword(ctx context.Context, s *server, old, found values) error {
	password := old.str("password")
	if password == "" || !s.superuser {
		return nil
	}
	if isSuperuser, err := s.exists(ctx, "", "SELECT 1 FROM pg_roles WHERE rolname = current_user AND rolsuper"); err != nil || !isSuperuser {
		return err
	}
	var stored string
	err := s.read(ctx, "", func(rows *sql.Rows) error { return rows.Scan(&stored) },
		"SELECT coalesce(rolpassword, '') FROM pg_authid WHERE rolname = $1", old.str("name"))
	if err == nil && !matches(stored, password, old.str("name")) {
		found["password"] = property.New("")
	}
	return err
}

// matches tells whether a stored hash was made from the password.
func matches(stored, password, role string) bool {
	if strings.EqualFold(password, "null") {
		return stored == ""
	}
	rest, isScram := strings.CutPrefix(stored, scramPrefix)
	if !isScram || strings.HasPrefix(password, scramPrefix) {
		hash, err := hashPassword(password, role, "md5")
		return err == nil && hash == stored
	}
	iterations, rest, _ := strings.Cut(rest, ":")
	encodedSalt, _, _ := strings.Cut(rest, "$")
	rounds, err := strconv.Atoi(iterations)
	salt, saltErr := base64.StdEncoding.DecodeString(encodedSalt)
	if err != nil || saltErr != nil {
		return true
	}
	verifier, err := scramVerifier(password, salt, rounds)
	return err != nil || verifier == stored
}
