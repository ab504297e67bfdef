package testserver_test

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/malgil/malgil/internal/testserver"
)

func TestPostgres_givesEachTestItsOwnDatabase(t *testing.T) {
	var last string
	for _, name := range []string{"first", "second"} {
		t.Run(name, func(t *testing.T) {
			dsn := testserver.Postgres(t)
			if dsn == last {
				t.Fatalf("Postgres() = %s twice", dsn)
			}
			last = dsn
			conn, err := pgx.Connect(t.Context(), dsn)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close(t.Context())
			var tables int
			if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").Scan(&tables); err != nil || tables != 0 {
				t.Errorf("tables in a new database = %d, %v, want 0", tables, err)
			}
			if _, err := conn.Exec(t.Context(), "CREATE TABLE wallet (id TEXT)"); err != nil {
				t.Errorf("CREATE TABLE error = %v", err)
			}
		})
	}
	if conn, err := pgx.Connect(t.Context(), last); err == nil {
		_ = conn.Close(t.Context())
		t.Errorf("%s is still there after its test", last)
	}
}

func TestPostgres_isNewEnough(t *testing.T) {
	conn, err := pgx.Connect(t.Context(), testserver.Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	var version int
	if err := conn.QueryRow(t.Context(), "SELECT current_setting('server_version_num')::int").Scan(&version); err != nil || version < 150000 {
		t.Errorf("server_version_num = %d, %v, want at least 150000", version, err)
	}
}
