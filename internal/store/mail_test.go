package store

import (
	"database/sql"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/malgil/malgil/internal/notice"
	"github.com/malgil/malgil/internal/wallet"
)

// noticeWorld is a wallet with its people: a master, who is also master of a bot, a worker, the
// master of another bot and a plain operator.
func noticeWorld(t *testing.T, s *Store) {
	t.Helper()
	newWallet(t, s, "wal_1", 0)
	newWallet(t, s, "wal_2", 0)
	for _, id := range []string{"acc_1", "acc_2", "acc_3", "acc_4", "acc_5"} {
		newAccount(t, s, id)
	}
	for _, bot := range []string{"bot_1", "bot_2"} {
		exec(t, s, `INSERT INTO bot (id, name, wallet_id, skill_key_hash, rest_key_sealed, rate_per_second, in_flight,
			paused_reason, paused_at, version, created_at) VALUES ($1, $1, 'wal_1', $2, $2, 500, 8, '', 0, 1, $3)`, bot, []byte{1}, millis(t0))
	}
	exec(t, s, `INSERT INTO wallet_member (wallet_id, account_id, role) VALUES
		('wal_1', 'acc_1', 'master'), ('wal_1', 'acc_2', 'worker'), ('wal_2', 'acc_5', 'master')`)
	exec(t, s, `INSERT INTO bot_member (bot_id, account_id, role) VALUES
		('bot_1', 'acc_1', 'master'), ('bot_2', 'acc_3', 'master'), ('bot_2', 'acc_4', 'operator'), ('bot_1', 'acc_2', 'operator')`)
}

var topUpEvent = notice.Event{WalletID: "wal_1", Subject: "cko_1", At: t0,
	Data: notice.TopUp{WalletName: "한빛서점", Amount: notice.Amount{Supply: 1000, VAT: 100, Total: 1100}, PaidAt: t0, Path: "/w"}}

func writeNotices(t *testing.T, s *Store, events ...notice.Event) {
	t.Helper()
	err := s.inTx(t.Context(), func(tx *sql.Tx) error {
		for _, e := range events {
			if err := insertNotices(t.Context(), tx, e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatalf("insertNotices error = %v, want nil", err)
	}
}

// mailRow is what a test looks at in a mail.
type mailRow struct {
	ID, Receiver, State, Error       string
	Epoch, Attempts, Enqueued, Lease int64
	NextAt, SentAt                   time.Time
}

func mailRows(t *testing.T, s *Store, where string, args ...any) []mailRow {
	t.Helper()
	rows, err := s.read.QueryContext(t.Context(), `SELECT id, receiver, state, error, epoch, attempts, enqueued_at, lease_until, next_at, sent_at
		FROM mail WHERE `+where+` ORDER BY wallet_id, mail_case, receiver`, args...)
	all, err := collect(rows, err, func(row scanner) (m mailRow, err error) {
		err = row.Scan(&m.ID, &m.Receiver, &m.State, &m.Error, &m.Epoch, &m.Attempts, &m.Enqueued, &m.Lease, at(&m.NextAt), at(&m.SentAt))
		return m, err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestInsertNotices_oneMailEach(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		noticeWorld(t, s)
		writeNotices(t, s, topUpEvent, topUpEvent) // the second changes nothing
		writeNotices(t, s, topUpEvent)
		var got []string
		for _, m := range mailRows(t, s, `1 = 1`) {
			got = append(got, m.Receiver+" "+m.State)
		}
		want := []string{"acc_1@hanbit.example waiting", "acc_2@hanbit.example waiting", "acc_3@hanbit.example waiting"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("mails of one event written three times (-want +got):\n%s", diff)
		}
	})
}

func TestInsertNotices_distinctEvents(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		noticeWorld(t, s)
		other, unpaid, elsewhere := topUpEvent, topUpEvent, topUpEvent
		other.Subject = "cko_2"
		unpaid.Data = notice.Unpaid{WalletName: "한빛서점"}
		elsewhere.WalletID = "wal_2"
		writeNotices(t, s, topUpEvent, other, unpaid, elsewhere)
		if got := len(mailRows(t, s, `wallet_id = 'wal_1'`)); got != 9 {
			t.Errorf("%d mails of three events to three people, want 9", got)
		}
		if got := mailRows(t, s, `wallet_id = 'wal_2'`); len(got) != 1 || got[0].Receiver != "acc_5@hanbit.example" {
			t.Errorf("mails of the other wallet = %v, want one to its master", got)
		}
	})
}

// A mail belongs to its event's transaction: without the event there is no mail.
func TestInsertNotices_rolledBack(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		noticeWorld(t, s)
		err := s.inTx(t.Context(), func(tx *sql.Tx) error {
			if err := insertNotices(t.Context(), tx, topUpEvent); err != nil {
				return err
			}
			return wallet.ErrUnpaid
		})
		if err == nil || len(mailRows(t, s, `1 = 1`)) != 0 {
			t.Errorf("after a transaction that ended with %v there are mails", err)
		}
	})
}

func TestClaimMail(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		noticeWorld(t, s)
		event := topUpEvent
		event.WalletID = "wal_2"
		writeNotices(t, s, event)
		stamped, err := s.Stamp(t.Context(), WorkMail, t0, 10)
		if err != nil || len(stamped) != 1 || stamped[0].Epoch != 1 {
			t.Fatalf("Stamp = %v, %v, want one mail of epoch 1", stamped, err)
		}
		id, lease := stamped[0].ID, t0.Add(time.Minute)
		for name, claim := range map[string]struct {
			id    string
			epoch int
			now   time.Time
		}{
			"another epoch":   {id, 0, t0},
			"before its time": {id, 1, t0.Add(-time.Second)},
			"another mail":    {"mail_2", 1, t0},
		} {
			if c, ok, err := s.ClaimMail(t.Context(), claim.id, claim.epoch, claim.now, lease); ok || err != nil {
				t.Errorf("%s: ClaimMail = %v, %v, %v, want nothing", name, c, ok, err)
			}
		}
		c, ok, err := s.ClaimMail(t.Context(), id, 1, t0, lease)
		if !ok || err != nil {
			t.Fatalf("ClaimMail = %v, %v, want it", ok, err)
		}
		data, err := notice.Decode(c.Case, c.Data)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(event.Data, data); diff != "" {
			t.Errorf("claimed data (-want +got):\n%s", diff)
		}
		if want := event.MailID(notice.Receiver{Address: "acc_5@hanbit.example"}); c.ID != want || c.To.Address != "acc_5@hanbit.example" || c.To.Name != "김하늘" || c.Attempts != 0 {
			t.Errorf("ClaimMail = %+v, want %s to acc_5", c, want)
		}
		if _, ok, err := s.ClaimMail(t.Context(), id, 1, t0, lease); ok || err != nil {
			t.Errorf("a second ClaimMail = %v, %v, want nothing", ok, err)
		}
	})
}

func TestRecordMail(t *testing.T) {
	now := t0.Add(time.Second)
	tests := map[string]struct {
		result notice.Result
		want   mailRow
	}{
		"sent": {notice.Result{State: notice.Sent, Attempts: 1}, mailRow{State: "sent", Epoch: 2, Attempts: 1, SentAt: now}},
		"waits": {notice.Result{State: notice.Waiting, Attempts: 1, NextAt: now.Add(time.Minute), Reason: "450 greylisted"},
			mailRow{State: "waiting", Epoch: 2, Attempts: 1, NextAt: now.Add(time.Minute), Error: "450 greylisted"}},
		"bounced": {notice.Result{State: notice.Bounced, Attempts: 1, Reason: "550 no such user"},
			mailRow{State: "bounced", Epoch: 2, Attempts: 1, Error: "550 no such user"}},
		"failed": {notice.Result{State: notice.Failed, Attempts: 8, Reason: "away"}, mailRow{State: "failed", Epoch: 2, Attempts: 8, Error: "away"}},
	}
	eachDatabase(t, func(t *testing.T, s *Store) {
		noticeWorld(t, s)
		for name, tt := range tests {
			event := topUpEvent
			event.WalletID, event.Subject = "wal_2", name
			writeNotices(t, s, event)
			stamped, err := s.Stamp(t.Context(), WorkMail, t0, 1)
			if err != nil || len(stamped) != 1 {
				t.Fatalf("Stamp = %v, %v, want one mail", stamped, err)
			}
			id, epoch := stamped[0].ID, stamped[0].Epoch
			if _, ok, err := s.ClaimMail(t.Context(), id, epoch, t0, t0.Add(time.Minute)); !ok || err != nil {
				t.Fatalf("ClaimMail = %v, %v, want it", ok, err)
			}
			for range 2 { // the second changes nothing, as the epoch is over
				if err := s.RecordMail(t.Context(), id, epoch, now, tt.result); err != nil {
					t.Fatal(err)
				}
			}
			want := tt.want
			want.ID, want.Receiver = id, "acc_5@hanbit.example"
			if diff := cmp.Diff([]mailRow{want}, mailRows(t, s, `id = $1`, id)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
		if stamped, err := s.Stamp(t.Context(), WorkMail, now, 10); err != nil || len(stamped) != 0 {
			t.Errorf("Stamp before any next try = %v, %v, want none", stamped, err)
		}
		if stamped, err := s.Stamp(t.Context(), WorkMail, now.Add(time.Minute), 10); err != nil || len(stamped) != 1 || stamped[0].Epoch != 3 {
			t.Errorf("Stamp at the next try = %v, %v, want the mail that waits, in epoch 3", stamped, err)
		}
	})
}

func TestExpireMails(t *testing.T) {
	tests := map[string]struct {
		attempts int
		want     string
	}{
		"tried once":                {0, "waiting"},
		"lost on its last try":      {notice.MaxTries - 1, "failed"},
		"lost on the try before it": {notice.MaxTries - 2, "waiting"},
	}
	eachDatabase(t, func(t *testing.T, s *Store) {
		noticeWorld(t, s)
		for name, tt := range tests {
			event := topUpEvent
			event.WalletID, event.Subject = "wal_2", name
			writeNotices(t, s, event)
			exec(t, s, `UPDATE mail SET attempts = $1 WHERE subject_id = $2`, tt.attempts, name)
			stamped, err := s.Stamp(t.Context(), WorkMail, t0, 1)
			if err != nil || len(stamped) != 1 {
				t.Fatalf("Stamp = %v, %v, want one mail", stamped, err)
			}
			id, epoch, lease := stamped[0].ID, stamped[0].Epoch, t0.Add(time.Minute)
			if _, ok, err := s.ClaimMail(t.Context(), id, epoch, t0, lease); !ok || err != nil {
				t.Fatalf("ClaimMail = %v, %v, want it", ok, err)
			}
			for _, step := range []struct {
				now  time.Time
				want int
			}{{lease.Add(-time.Millisecond), 0}, {lease, 1}, {lease, 0}} {
				if n, err := s.ExpireMails(t.Context(), step.now); n != step.want || err != nil {
					t.Errorf("%s: ExpireMails(%v) = %d, %v, want %d", name, step.now, n, err, step.want)
				}
			}
			late := notice.Result{State: notice.Sent, Attempts: tt.attempts + 1}
			if err := s.RecordMail(t.Context(), id, epoch, lease, late); err != nil {
				t.Fatal(err)
			}
			got := mailRows(t, s, `id = $1`, id)
			if len(got) != 1 || got[0].State != tt.want || got[0].Epoch != int64(epoch)+1 || got[0].Attempts != int64(tt.attempts)+1 || got[0].Lease != 0 || got[0].Enqueued != 0 {
				t.Errorf("%s: after the lease and a late report = %+v, want %s in the next epoch", name, got, tt.want)
			}
			exec(t, s, `DELETE FROM mail`)
		}
	})
}
