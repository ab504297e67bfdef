package store

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/seal"
	"github.com/malgil/malgil/internal/testserver"
	"github.com/malgil/malgil/internal/wallet"
)

func TestMain(m *testing.M) { testserver.Main(m) }

// t0 is when tests begin: noon in Korea, so that no midnight is near.
var t0 = time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)

// eachDatabase runs a test on an empty SQLite and on an empty PostgreSQL database.
func eachDatabase(t *testing.T, test func(t *testing.T, s *Store)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { test(t, openTest(t, sqliteAddress(t))) })
	t.Run("postgres", func(t *testing.T) { test(t, openTest(t, testserver.PostgresCopy(t, migrate))) })
}

func sqliteAddress(t testing.TB) string {
	t.Helper()
	return testserver.SQLiteCopy(t, migrate)
}

// migrate brings an empty database to the newest schema. Tests begin with copies of it: migrating takes
// longer than most of them.
func migrate(address string) error {
	s, err := Open(context.Background(), Config{Address: address})
	if err != nil {
		return err
	}
	_, err = s.Migrate(context.Background())
	return errors.Join(err, s.Close())
}

// openTest opens and migrates a database with the default settings.
func openTest(t testing.TB, address string) *Store {
	t.Helper()
	s, err := Open(t.Context(), Config{
		Address:    address,
		Limits:     wallet.Limits{AccrualCap: 10_000_000},
		Settlement: wallet.Settlement{Threshold: 500_000},
		Keys:       testKeys(t),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close() error = %v", err)
		}
	})
	if _, err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.FirstPrice(t.Context(), price); err != nil {
		t.Fatal(err)
	}
	return s
}

// testKeys seals with a key and nonces that are the same in every run.
func testKeys(t testing.TB) *seal.Box {
	t.Helper()
	key := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32))
	box, err := seal.New(key, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return box
}

// exec runs a statement that a test needs and no function of the store offers.
func exec(t testing.TB, s *Store, statement string, args ...any) {
	t.Helper()
	if _, err := s.write.ExecContext(context.Background(), statement, args...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// newAccount stores an account and returns its id.
func newAccount(t testing.TB, s *Store, id string) string {
	t.Helper()
	exec(t, s, `INSERT INTO account (id, name, email, created_at) VALUES ($1, $2, $3, $4)`,
		id, "김하늘", id+"@hanbit.example", millis(t0))
	return id
}

// newWallet stores an active wallet and tops it up, so that its postings explain its balance.
func newWallet(t testing.TB, s *Store, id string, paid wallet.KRW) string {
	t.Helper()
	exec(t, s, `INSERT INTO wallet (id, name, kind, business_number, invoice_email, status, payment_state, unpaid_since,
		free_krw, paid_krw, accrual_krw, charging_krw, held_krw, daily_limit_krw, accrual_day, accrual_old_krw, accrued_krw,
		next_charge_at, charge_epoch, charge_enqueued_at, created_at)
		VALUES ($1, '한빛서점', 'business', '9998100015', 'tax@hanbit.example', 'in_use', 'ACTIVE', 0,
		0, 0, 0, 0, 0, 100000000, 0, 0, 0, 0, 0, 0, $2)`, id, millis(t0))
	if paid > 0 {
		topUp(t, s, id, paid, "cko_"+id, t0)
	}
	return id
}

// topUp adds paid cash as a checkout does.
func topUp(t testing.TB, s *Store, walletID string, supply wallet.KRW, ref string, now time.Time) {
	t.Helper()
	post1(t, s, walletID, func(w wallet.Wallet) (wallet.Wallet, wallet.Posting) {
		return w.TopUp(supply, wallet.VAT(supply), ref, now)
	})
}

// newGrant gives a wallet free cash that counts already.
func newGrant(t testing.TB, s *Store, walletID, id string, amount wallet.KRW, expires, now time.Time) {
	t.Helper()
	exec(t, s, `INSERT INTO free_grant (id, wallet_id, amount_krw, remaining_krw, started_at, expires_at, created_at)
		VALUES ($1, $2, $3, $3, $4, $5, $4)`, id, walletID, int64(amount), millis(now), millis(expires))
	post1(t, s, walletID, func(w wallet.Wallet) (wallet.Wallet, wallet.Posting) {
		return w.StartGrant(amount, id, now)
	})
}

// post1 applies one rule to a wallet and stores what it returns.
func post1(t testing.TB, s *Store, walletID string, rule func(wallet.Wallet) (wallet.Wallet, wallet.Posting)) {
	t.Helper()
	err := s.inTx(context.Background(), func(tx *sql.Tx) error {
		w, err := s.lockWallet(context.Background(), tx, walletID)
		if err != nil {
			return err
		}
		after, posting := rule(w)
		if err := s.post(context.Background(), tx, walletID, posting); err != nil {
			return err
		}
		return saveWallet(context.Background(), tx, after)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// newCard stores a usable card of an account, on a wallet in a slot unless the wallet is empty.
func newCard(t testing.TB, s *Store, id, accountID, walletID string, slot int) string {
	t.Helper()
	sealed, err := s.keys.Seal([]byte("sid-of-"+id), "card", id)
	if err != nil {
		t.Fatal(err)
	}
	exec(t, s, `INSERT INTO card (id, account_id, sid_sealed, payer_id, masked, issuer, state, dormant_since, added_at, removed_at)
		VALUES ($1, $2, $3, $2, '9446-01**', '한빛카드', 'usable', 0, $4, 0)`, id, accountID, sealed, millis(t0))
	if walletID != "" {
		exec(t, s, `INSERT INTO wallet_card (wallet_id, slot, card_id) VALUES ($1, $2, $3)`, walletID, slot, id)
	}
	return id
}

// newBot stores a bot of a wallet, at 500 messages a second; no wallet when that is empty.
func newBot(t testing.TB, s *Store, id, walletID string) string {
	t.Helper()
	sealed, err := s.keys.Seal([]byte("rest-key-of-"+id), "bot", id)
	if err != nil {
		t.Fatal(err)
	}
	hash := sha256.Sum256([]byte("skill-key-of-" + id))
	exec(t, s, `INSERT INTO bot (id, name, wallet_id, skill_key_hash, rest_key_sealed, rate_per_second, in_flight,
		paused_reason, paused_at, version, created_at) VALUES ($1, '한빛서점 도우미', $2, $3, $4, 500, 8, '', 0, 0, $5)`,
		id, sql.NullString{String: walletID, Valid: walletID != ""}, hash[:], sealed, millis(t0))
	return id
}

// wantWallet reads a wallet whose books agree with its balances.
func wantWallet(t testing.TB, s *Store, id string) wallet.Wallet {
	t.Helper()
	w, err := s.Wallet(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	if err := booksAgree(s, w); err != nil {
		t.Error(err)
	}
	return w
}

// booksAgree says where a wallet's balances are not what its postings and holds add up to.
func booksAgree(s *Store, w wallet.Wallet) error {
	b, err := s.Books(context.Background(), w.ID)
	if err != nil {
		return err
	}
	got := Books{Free: w.Free, Paid: w.Paid, Refunding: w.Refunding, Accrual: w.Accrual, Charging: w.Charging, Held: w.Held}
	want := Books{Free: b.Free, Paid: b.Paid, Refunding: b.Refunding, Accrual: b.Accrual, Charging: b.Charging, Held: b.Held}
	if got != want {
		return fmt.Errorf("wallet %s has balances %+v, its postings and holds give %+v", w.ID, got, want)
	}
	var left, used, vanished wallet.KRW // of free cash, gift by gift
	err = s.read.QueryRowContext(context.Background(), `SELECT CAST(COALESCE(SUM(remaining_krw), 0) AS BIGINT),
		CAST(COALESCE(SUM(amount_krw - remaining_krw - expired_krw), 0) AS BIGINT), CAST(COALESCE(SUM(expired_krw), 0) AS BIGINT)
		FROM free_grant WHERE wallet_id = $1 AND started_at > 0`, w.ID).Scan(&left, &used, &vanished)
	if err != nil {
		return err
	}
	var posted [2]wallet.KRW // used, vanished
	err = s.read.QueryRowContext(context.Background(), `SELECT CAST(COALESCE(SUM(CASE WHEN kind IN ('capture', 'correction') THEN -free ELSE 0 END), 0) AS BIGINT),
		CAST(COALESCE(SUM(CASE kind WHEN 'grant_expired' THEN -free ELSE 0 END), 0) AS BIGINT) FROM posting WHERE wallet_id = $1`, w.ID).Scan(&posted[0], &posted[1])
	if err == nil && (left != w.Free || used != posted[0] || vanished != posted[1]) {
		err = fmt.Errorf("wallet %s has %d of free cash, its gifts %d; they were used by %d and lost %d, the postings say %d and %d",
			w.ID, w.Free, left, used, vanished, posted[0], posted[1])
	}
	return err
}

func TestMigrate(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		pending, err := s.Pending(t.Context())
		if err != nil || pending != 0 {
			t.Errorf("Pending() after Migrate = %d, %v, want 0, nil", pending, err)
		}
		ran, err := s.Migrate(t.Context())
		if err != nil || ran != 0 {
			t.Errorf("second Migrate() = %d, %v, want 0, nil", ran, err)
		}
	})
}

func TestOpen_refusesASecondProcessOnOneFile(t *testing.T) {
	address := sqliteAddress(t)
	openTest(t, address)
	_, err := Open(t.Context(), Config{Address: address})
	if fault.KindOf(err) != fault.Conflict {
		t.Errorf("second Open error = %v, want a Conflict", err)
	}
}

func TestPosting_isNeverEdited(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		newWallet(t, s, "wal_1", 1000)
		for _, statement := range []string{`UPDATE posting SET at = at + 1`, `DELETE FROM posting`} {
			if _, err := s.write.ExecContext(t.Context(), statement); err == nil {
				t.Errorf("%s error = nil, want a refusal", statement)
			}
		}
		wantWallet(t, s, "wal_1")
	})
}
