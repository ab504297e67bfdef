package store

import (
	"container/list"
	"context"
	"database/sql"
	"database/sql/driver"
	"strings"

	"modernc.org/sqlite"
)

// Bounds of what one connection keeps prepared. A longer text is one of many values, which seldom comes
// again in the same length.
const (
	keptStatements = 256
	keptText       = 4 << 10 // bytes
)

// openPrepared opens a SQLite database whose connections keep the statements that they were given last:
// without that each use of a text is parsed and planned anew, which costs more than what most of them
// do. (The driver of PostgreSQL does so by itself.)
func openPrepared(address string) (*sql.DB, error) {
	connector, err := sqlite.NewConnector(address)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(preparing{connector}), nil
}

type preparing struct{ driver.Connector }

func (p preparing) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := p.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &preparedConn{sqliteConn: conn.(sqliteConn), byText: make(map[string]*list.Element)}, nil
}

// sqliteConn is what a connection of the driver can do.
type sqliteConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// preparedConn is a connection that keeps statements. As every connection of a driver, it serves one
// caller at a time.
type preparedConn struct {
	sqliteConn
	byText map[string]*list.Element
	recent list.List // of *statement, the last used first
}

// statement is a text that is kept prepared.
type statement struct {
	driver.Stmt
	text string
	open bool // its rows are being read
}

// Unwrap returns the connection of the driver.
func (c *preparedConn) Unwrap() driver.Conn { return c.sqliteConn }

// Close gives the statements free, and then the connection.
func (c *preparedConn) Close() error {
	for c.recent.Len() > 0 {
		c.drop(c.recent.Back())
	}
	return c.sqliteConn.Close()
}

// ExecContext runs a statement that returns no rows.
func (c *preparedConn) ExecContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	kept, err := c.prepared(ctx, text)
	switch {
	case err != nil:
		return nil, err
	case kept == nil:
		return c.sqliteConn.ExecContext(ctx, text, args)
	}
	return kept.Stmt.(driver.StmtExecContext).ExecContext(ctx, args)
}

// QueryContext runs a statement that returns rows.
func (c *preparedConn) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	kept, err := c.prepared(ctx, text)
	switch {
	case err != nil:
		return nil, err
	case kept == nil:
		return c.sqliteConn.QueryContext(ctx, text, args)
	}
	rows, err := kept.Stmt.(driver.StmtQueryContext).QueryContext(ctx, args)
	if err != nil {
		return nil, err
	}
	kept.open = true
	return &preparedRows{rows, kept}, nil
}

// preparedRows are the rows of a statement that is kept.
type preparedRows struct {
	driver.Rows
	of *statement
}

// Close ends the reading; the statement is there for the next.
func (r *preparedRows) Close() error {
	r.of.open = false
	return r.Rows.Close()
}

// prepared returns the statement of a text, nil for one that is not kept: several statements at once, what
// is seldom said twice, or one whose rows are being read by who asks for it again.
func (c *preparedConn) prepared(ctx context.Context, text string) (*statement, error) {
	if found := c.byText[text]; found != nil {
		kept := found.Value.(*statement)
		if kept.open {
			return nil, nil
		}
		c.recent.MoveToFront(found)
		return kept, nil
	}
	if len(text) > keptText || !worthKeeping(text) {
		return nil, nil
	}
	made, err := c.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	kept := &statement{Stmt: made, text: strings.Clone(text)}
	c.byText[kept.text] = c.recent.PushFront(kept)
	for last := c.recent.Back(); c.recent.Len() > keptStatements && !last.Value.(*statement).open; last = c.recent.Back() {
		c.drop(last)
	}
	return kept, nil
}

// worthKeeping reports whether a text asks or changes rows, in one statement.
func worthKeeping(text string) bool {
	verb, _, _ := strings.Cut(strings.TrimSpace(text), " ")
	switch verb {
	case "SELECT", "INSERT", "UPDATE", "DELETE", "WITH":
		return !strings.Contains(text, ";")
	}
	return false
}

// drop closes a statement. There is nothing to do about one that does not close.
func (c *preparedConn) drop(last *list.Element) {
	kept := c.recent.Remove(last).(*statement)
	delete(c.byText, kept.text)
	_ = kept.Stmt.Close()
}
