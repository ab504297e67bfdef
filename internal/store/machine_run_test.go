package store

import (
	"database/sql"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/malgil/malgil/internal/testserver"
	"github.com/malgil/malgil/internal/wallet"
)

// machineDatabases opens an empty database for one run of a machine, again and again.
var machineDatabases = map[string]func(t *testing.T) (open func() *Store){
	"sqlite": func(t *testing.T) func() *Store {
		template := filepath.Join(t.TempDir(), "template.db")
		if err := openMachine(t, "sqlite:"+template).Close(); err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(template)
		if err != nil {
			t.Fatal(err)
		}
		return func() *Store {
			dir, err := os.MkdirTemp(t.TempDir(), "machine")
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, "malgil.db")
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			s := openMachine(t, "sqlite:"+path)
			exec(t, s, `PRAGMA synchronous = OFF`)
			return s
		}
	},
	"postgres": func(t *testing.T) func() *Store {
		address := testserver.Postgres(t)
		s := openMachine(t, address)
		tables := strings.Join(texts(t, s, `SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename NOT LIKE 'goose%'`), ", ")
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		return func() *Store {
			s := openMachine(t, address)
			must(t, s.inTx(background(), func(tx *sql.Tx) error { // postings are not to be deleted: triggers are out of the way
				_, err := tx.Exec(`SET LOCAL session_replication_role = replica; TRUNCATE ` + tables)
				return err
			}))
			must(t, s.FirstPrice(background(), price))
			return s
		}
	},
}

func openMachine(t *testing.T, address string) *Store {
	t.Helper()
	s, err := Open(background(), Config{Address: address, Limits: wallet.Limits{AccrualCap: 600}, Settlement: machineSettlement, Keys: testKeys(t)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Migrate(background()); err != nil {
		t.Fatal(err)
	}
	must(t, s.FirstPrice(background(), price))
	return s
}

// Whatever happens in whatever order, after every step: the books agree and are what a second opinion
// makes of the postings, everybody is counted once, nobody is in two accepted requests, nothing is
// captured that Kakao did not accept; and in the end every broadcast and every payment ends, the ledger
// has what the gateway took, and all postings replayed give the wallets again.
func TestStorm_machine(t *testing.T) {
	const runs, steps = 50, 400 // 20,000 on each database
	flagged(t, "rapid.checks", strconv.Itoa(runs))
	for name, prepare := range machineDatabases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			open := prepare(t)
			kinds := map[wallet.PostingKind]int{}
			rapid.Check(t, func(rt *rapid.T) {
				s := open()
				defer func() { must(t, s.Close()) }()
				m := newMachine(t, rt, s)
				actions := m.actions()
				names := rapid.SampledFrom(oftenFirst(actions))
				for range steps {
					do := actions[names.Draw(rt, "action")]
					m.pass(rapid.SampledFrom([]time.Duration{time.Millisecond, 2 * time.Second}).Draw(rt, "step"))
					do(rt)
					m.check(rt)
				}
				m.drain(rt)
				for key := range m.seen {
					kinds[wallet.PostingKind(strings.Fields(key)[1])]++
				}
			})
			t.Log(kinds)
			for _, kind := range []wallet.PostingKind{wallet.Capture, wallet.TopUp, wallet.GrantStarted, wallet.GrantExpired, wallet.PaidGranted,
				wallet.ChargeOpened, wallet.ChargePaid, wallet.ChargeFailed, wallet.RefundOpened, wallet.Refund, wallet.RefundFailed} {
				if kinds[kind] < 3 { // that the storm comes to each at all; it draws anew every time
					t.Errorf("%d postings were a %s, want 3 and more", kinds[kind], kind)
				}
			}
		})
	}
}

// oftenFirst lists actions, those first that lead far: rapid picks the first of a list more often.
func oftenFirst(actions map[string]func(*rapid.T)) []string {
	names := []string{"a good minute", "dispatch", "prepare", "send", "answer", "stamp", "look up many", "bill", "look up", "sweep", "top up", "order", "mend", "resume", "time goes by", "refund", "gateway", "late"}
	for _, name := range slices.Sorted(maps.Keys(actions)) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// flagged sets a flag for the time of a test.
func flagged(t *testing.T, name, value string) {
	t.Helper()
	before := flag.Lookup(name).Value.String()
	if err := flag.Set(name, value); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = flag.Set(name, before) })
}
