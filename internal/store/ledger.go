package store

import (
	"database/sql"
	"sync"

	"github.com/malgil/malgil/internal/wallet"
)

// PostingMeter counts what is posted, in KRW without VAT.
type PostingMeter interface {
	Posted(kind string, krw int64)
}

// CountPostings has every posting counted once it is committed, whoever made it. It is called before
// the store is used.
func (s *Store) CountPostings(meter PostingMeter) { s.ledger.meter = meter }

// ledger keeps what transactions have posted that are not over, to count it when they commit.
type ledger struct {
	meter PostingMeter // nil counts nothing
	mu    sync.Mutex
	open  map[*sql.Tx][]wallet.Posting
}

// wrote notes postings of a transaction.
func (l *ledger) wrote(tx *sql.Tx, postings []wallet.Posting) {
	if l.meter == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open == nil {
		l.open = make(map[*sql.Tx][]wallet.Posting)
	}
	l.open[tx] = append(l.open[tx], postings...)
}

// written returns how many postings a transaction has.
func (l *ledger) written(tx *sql.Tx) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.open[tx])
}

// takeBack forgets the postings of a transaction but for the first ones.
func (l *ledger) takeBack(tx *sql.Tx, first int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.open[tx]) > first {
		l.open[tx] = l.open[tx][:first]
	}
}

// committed counts the postings of a transaction.
func (l *ledger) committed(tx *sql.Tx) {
	l.mu.Lock()
	postings := l.open[tx]
	l.mu.Unlock()
	for _, p := range postings {
		l.meter.Posted(string(p.Kind), int64(p.Amount()))
	}
}

// forget ends a transaction, however it ended.
func (l *ledger) forget(tx *sql.Tx) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, tx)
}
