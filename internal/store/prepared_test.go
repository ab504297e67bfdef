package store

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// openPad opens a database of one connection with a table of numbers.
func openPad(t *testing.T) (*sql.DB, *preparedConn) {
	t.Helper()
	db, err := openPrepared("file:" + filepath.Join(t.TempDir(), "pad.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	db.SetMaxOpenConns(1)
	if _, err := db.Exec(`CREATE TABLE pad (n INTEGER PRIMARY KEY, word TEXT); INSERT INTO pad VALUES (1, 'one'), (2, 'two')`); err != nil {
		t.Fatal(err)
	}
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var kept *preparedConn
	if err := conn.Raw(func(c any) error { kept = c.(*preparedConn); return nil }); err != nil {
		t.Fatal(err)
	}
	return db, kept
}

func word(t *testing.T, db querier, n int) string {
	t.Helper()
	var word sql.NullString
	if err := db.QueryRowContext(t.Context(), `SELECT word FROM pad WHERE n = $1`, n).Scan(&word); err != nil {
		t.Fatal(err)
	}
	return word.String
}

func TestPrepared(t *testing.T) {
	db, kept := openPad(t)
	for range 3 {
		if one, two := word(t, db, 1), word(t, db, 2); one != "one" || two != "two" {
			t.Fatalf("words = %q, %q", one, two)
		}
	}
	if kept.recent.Len() != 1 {
		t.Errorf("%d statements are kept, want the one that came again", kept.recent.Len())
	}
	if _, err := db.Exec(`UPDATE pad SET word = $2 WHERE n = $1`, 1, nil); err != nil {
		t.Fatal(err)
	}
	// A statement of the schema, and several at once, are not kept; what is, is planned anew after them.
	if _, err := db.Exec(`ALTER TABLE pad ADD COLUMN more TEXT; UPDATE pad SET word = 'eins' WHERE n = 1`); err != nil {
		t.Fatal(err)
	}
	if got := word(t, db, 1); got != "eins" {
		t.Errorf("after a change of the schema it is %q", got)
	}
	if kept.recent.Len() != 2 || len(kept.byText) != 2 {
		t.Errorf("%d statements are kept, want 2", kept.recent.Len())
	}
}

// A text that is asked again while its rows are being read does not take them away.
func TestPrepared_insideItself(t *testing.T) {
	db, _ := openPad(t)
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	const all = `SELECT n FROM pad ORDER BY n`
	var seen []string
	outer, err := tx.QueryContext(t.Context(), all)
	if err != nil {
		t.Fatal(err)
	}
	defer outer.Close()
	for outer.Next() {
		var n int
		if err := outer.Scan(&n); err != nil {
			t.Fatal(err)
		}
		inner, err := tx.QueryContext(t.Context(), all)
		more, err := collect(inner, err, func(row scanner) (m int, err error) { return m, row.Scan(&m) })
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, fmt.Sprint(n, more))
	}
	if got := strings.Join(seen, " "); outer.Err() != nil || got != "1 [1 2] 2 [1 2]" {
		t.Errorf("seen %s (%v), want each row, and inside each both", got, outer.Err())
	}
}

// What fails does so again and again, and harms no later use: a statement that cannot be prepared, one that a
// constraint stops, and one whose context has ended.
func TestPrepared_failures(t *testing.T) {
	db, _ := openPad(t)
	ended, end := context.WithCancel(t.Context())
	end()
	for range 2 {
		if _, err := db.Exec(`UPDATE nothing SET n = 1`); err == nil {
			t.Error("a table that is not there is written")
		}
		if _, err := db.Exec(`INSERT INTO pad (n, word) VALUES ($1, $2)`, 1, "again"); err == nil {
			t.Error("a key is taken twice")
		}
		if err := db.QueryRowContext(ended, `SELECT word FROM pad WHERE n = $1`, 1).Scan(new(string)); err == nil {
			t.Error("a call that was given up is answered")
		}
		if got := word(t, db, 1); got != "one" {
			t.Errorf("afterwards the word is %q", got)
		}
	}
	if _, err := db.Exec(`INSERT INTO pad (n, word) VALUES ($1, $2)`, 3, "three"); err != nil {
		t.Error(err)
	}
}

// A connection keeps the statements that were used last, and no more.
func TestPrepared_bound(t *testing.T) {
	db, kept := openPad(t)
	for n := range keptStatements + 50 {
		if err := db.QueryRow(fmt.Sprintf(`SELECT %d FROM pad WHERE n = $1`, n), 1).Scan(new(int)); err != nil {
			t.Fatal(err)
		}
		word(t, db, 1)
	}
	if kept.recent.Len() != keptStatements || len(kept.byText) != keptStatements {
		t.Errorf("%d statements are kept, want %d", kept.recent.Len(), keptStatements)
	}
	if kept.byText[`SELECT word FROM pad WHERE n = $1`] == nil || kept.byText[`SELECT 0 FROM pad WHERE n = $1`] != nil {
		t.Error("the statement that is used all the time is gone, or the oldest is not")
	}
	if long := `SELECT 1 FROM pad WHERE n = $1 AND word IN ('` + strings.Repeat("x", keptText) + `', 'one')`; db.QueryRow(long, 1).Scan(new(int)) != nil || kept.byText[long] != nil {
		t.Error("a long text is not answered, or kept")
	}
}
