package store

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"strings"
	"testing/fstest"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrate brings the schema up to date and returns how many migrations it ran. Several
// processes may call it at once.
func (s *Store) Migrate(ctx context.Context) (ran int, err error) {
	provider, err := s.provider()
	if err != nil {
		return 0, err
	}
	if !s.dialect.embedded { // one process migrates, the others wait and find nothing to do
		conn, err := s.schema.Conn(ctx)
		if err != nil {
			return 0, err
		}
		defer conn.Close()
		if _, err := conn.ExecContext(ctx, `SELECT pg_advisory_lock($1)`, int64(migrateLock)); err != nil {
			return 0, fmt.Errorf("wait for other migrations: %w", err)
		}
		defer func() {
			_, _ = conn.ExecContext(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock($1)`, int64(migrateLock))
		}()
	}
	results, err := provider.Up(ctx)
	if err != nil {
		return len(results), fmt.Errorf("migrate: %w", err)
	}
	return len(results), nil
}

// Used reports whether somebody lives in the database: it has an account, a token, a wallet or a
// bot. It changes nothing that matters: a database without a schema is not used.
func (s *Store) Used(ctx context.Context) (used bool, err error) {
	provider, err := s.provider()
	if err != nil {
		return false, err
	}
	states, err := provider.Status(ctx)
	if err != nil {
		return false, fmt.Errorf("read migration state: %w", err)
	}
	if len(states) == 0 || states[0].State == goose.StatePending {
		return false, nil
	}
	err = s.read.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM account) OR EXISTS (SELECT 1 FROM token)
		OR EXISTS (SELECT 1 FROM wallet) OR EXISTS (SELECT 1 FROM bot)`).Scan(&used)
	return used, err
}

// Pending returns how many migrations have not run.
func (s *Store) Pending(ctx context.Context) (int, error) {
	provider, err := s.provider()
	if err != nil {
		return 0, err
	}
	states, err := provider.Status(ctx)
	if err != nil {
		return 0, fmt.Errorf("read migration state: %w", err)
	}
	pending := 0
	for _, state := range states {
		if state.State == goose.StatePending {
			pending++
		}
	}
	return pending, nil
}

const migrateLock lockKey = 0x6d616c67696c02

func (s *Store) provider() (*goose.Provider, error) {
	files, err := s.dialect.migrations()
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(s.dialect.goose, s.schema, files, goose.WithDisableGlobalRegistry(true))
}

// migrations returns the files for one database: those without a mark are rewritten from
// PostgreSQL's words, those marked ".sqlite.sql" or ".postgres.sql" are for one only.
func (d dialect) migrations() (fs.FS, error) {
	files := fstest.MapFS{}
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		text, err := migrations.ReadFile(name)
		if err != nil {
			return nil, err
		}
		base := strings.TrimSuffix(strings.TrimPrefix(name, "migrations/"), ".sql")
		if plain, mark, marked := strings.Cut(base, "."); marked {
			if mark != d.name {
				continue
			}
			base = plain
		} else {
			text = []byte(d.schema.Replace(string(text)))
		}
		files[base+".sql"] = &fstest.MapFile{Data: text}
	}
	return files, nil
}
