package store

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/notice"
)

// Mails are listed by wallet, state and case, newest first, and in pages without gaps; one that was
// sent, or could not be, is sent again as a mail of its own, once for a key.
func TestMails_listedAndSentAgain(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		newWallet(t, s, "wal_1", 1_000)
		newWallet(t, s, "wal_2", 1_000)
		newAccount(t, s, "acc_1")
		for _, w := range []string{"wal_1", "wal_2"} {
			exec(t, s, `INSERT INTO wallet_member (wallet_id, account_id, role) VALUES ($1, 'acc_1', 'master')`, w)
		}
		write := func(wallet, subject string, after time.Duration, data notice.Data) string {
			t.Helper()
			e := notice.Event{WalletID: wallet, Subject: subject, At: t0.Add(after), Data: data}
			must(t, s.inTx(t.Context(), func(tx *sql.Tx) error { return insertNotices(t.Context(), tx, e) }))
			list, err := s.Mails(t.Context(), wallet, notice.Narrow{}, 1)
			if err != nil || len(list) != 1 || list[0].Subject != subject {
				t.Fatalf("newest mail of %s = %+v, %v, want %s", wallet, list, err, subject)
			}
			return list[0].ID
		}
		var ids []string
		for i := range 5 {
			ids = append(ids, write("wal_1", fmt.Sprintf("cko_%d", i), time.Duration(i)*time.Second, notice.TopUp{WalletName: "한빛서점"}))
		}
		unpaid := write("wal_1", "chg_1", 10*time.Second, notice.Unpaid{WalletName: "한빛서점"})
		write("wal_2", "cko_0", 0, notice.TopUp{WalletName: "달빛문구"})
		end := func(id string, state notice.State, reason string) {
			t.Helper()
			exec(t, s, `UPDATE mail SET state = $2, error = $3, attempts = 1 WHERE id = $1`, id, string(state), reason)
		}
		end(unpaid, notice.Bounced, "550 5.1.1 no such user")
		end(ids[0], notice.Sent, "")

		list := func(n notice.Narrow, limit int) (got []string) {
			t.Helper()
			all, err := s.Mails(t.Context(), "wal_1", n, limit)
			must(t, err)
			for _, m := range all {
				got = append(got, m.ID)
			}
			return got
		}
		want(t, "all", list(notice.Narrow{}, 10), unpaid, ids[4], ids[3], ids[2], ids[1], ids[0])
		want(t, "a page", list(notice.Narrow{Before: ids[3]}, 2), ids[2], ids[1])
		want(t, "bounced", list(notice.Narrow{State: notice.Bounced}, 10), unpaid)
		want(t, "sent top-ups", list(notice.Narrow{State: notice.Sent, Case: notice.CaseTopUp}, 10), ids[0])

		resend := func(wallet, id, key string) (notice.Record, error) {
			return s.ResendMail(t.Context(), notice.Resend{WalletID: wallet, MailID: id, At: t0.Add(time.Hour), Request: notice.Request{Scope: "tok_1", Key: key, BodyHash: []byte(id)}})
		}
		again, err := resend("wal_1", unpaid, "key-1")
		if err != nil || again.ID == unpaid || again.Subject != "chg_1#2" || again.State != notice.Waiting || again.To.AccountID != "acc_1" {
			t.Fatalf("ResendMail = %+v, %v, want a mail of its own", again, err)
		}
		same, err := resend("wal_1", unpaid, "key-1")
		if err != nil || same.ID != again.ID {
			t.Errorf("the same call again = %+v, %v, want the first answer", same, err)
		}
		for name, tt := range map[string]struct {
			wallet, id, key string
			kind            fault.Kind
		}{
			"it still waits":           {"wal_1", again.ID, "key-2", fault.Conflict},
			"another mail for the key": {"wal_1", ids[0], "key-1", fault.Invalid},
			"of another wallet":        {"wal_2", unpaid, "key-3", fault.NotFound},
			"no mail":                  {"wal_1", "mail_0", "key-4", fault.NotFound},
		} {
			if _, err := resend(tt.wallet, tt.id, tt.key); err == nil || fault.KindOf(err) != tt.kind {
				t.Errorf("%s: ResendMail error = %v (%v), want %v", name, err, fault.KindOf(err), tt.kind)
			}
		}
		end(again.ID, notice.Sent, "")
		third, err := resend("wal_1", again.ID, "key-5")
		if err != nil || third.Subject != "chg_1#3" {
			t.Errorf("a copy sent again = %+v, %v, want number 3 of the first", third, err)
		}
		exec(t, s, `DELETE FROM wallet_member WHERE wallet_id = 'wal_1'`)
		if _, err := resend("wal_1", ids[0], "key-6"); fault.KindOf(err) != fault.Refused {
			t.Errorf("to one who left: ResendMail error = %v, want Refused", err)
		}
	})
}

// An address at which nobody is gets no more mails: they are written as bounced, for all wallets, until
// its owner has another or somebody has one sent again. Other refusals are of one mail.
func TestMails_addressOfNobody(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		newWallet(t, s, "wal_1", 1_000)
		newAccount(t, s, "acc_1")
		exec(t, s, `INSERT INTO wallet_member (wallet_id, account_id, role) VALUES ('wal_1', 'acc_1', 'master')`)
		now := t0
		write := func(subject string) notice.Record {
			t.Helper()
			now = now.Add(time.Minute)
			e := notice.Event{WalletID: "wal_1", Subject: subject, At: now, Data: notice.TopUp{WalletName: "한빛서점"}}
			must(t, s.inTx(t.Context(), func(tx *sql.Tx) error { return insertNotices(t.Context(), tx, e) }))
			list, err := s.Mails(t.Context(), "wal_1", notice.Narrow{}, 1)
			if err != nil || len(list) != 1 || list[0].Subject != subject {
				t.Fatalf("newest mail = %+v, %v, want that of %s", list, err, subject)
			}
			return list[0]
		}
		try := func(m notice.Record, r notice.Result) {
			t.Helper()
			if _, ok, err := s.ClaimMail(t.Context(), m.ID, 0, now, now.Add(time.Minute)); err != nil || !ok {
				t.Fatalf("ClaimMail(%s) = %v, %v, want it claimed", m.ID, ok, err)
			}
			must(t, s.RecordMail(t.Context(), m.ID, 0, now, r))
		}
		refused := func() string {
			t.Helper()
			a, err := s.Account(t.Context(), "acc_1")
			must(t, err)
			return a.EmailRefused
		}
		try(write("cko_1"), notice.Result{State: notice.Bounced, Attempts: 1, Reason: "552 5.2.2 mailbox full"})
		if second := write("cko_2"); second.State != notice.Waiting || refused() != "" {
			t.Fatalf("after a full mailbox a mail is %s, refused for %q, want it to wait", second.State, refused())
		} else {
			try(second, notice.Result{State: notice.Bounced, Attempts: 1, Reason: "550 5.1.1 no such user", Gone: true})
		}
		third := write("cko_3")
		if third.State != notice.Bounced || third.Attempts != 0 || !strings.Contains(third.Reason, "550 5.1.1 no such user") || refused() != "550 5.1.1 no such user" {
			t.Errorf("a mail to nobody = %+v, refused for %q, want it bounced with the server's words", third, refused())
		}
		if rows, err := s.Stamp(t.Context(), WorkMail, now, 10); err != nil || len(rows) != 0 {
			t.Errorf("work for mails = %v, %v, want none", rows, err)
		}
		again, err := s.ResendMail(t.Context(), notice.Resend{WalletID: "wal_1", MailID: third.ID, At: now})
		if err != nil || again.State != notice.Waiting || refused() != "" {
			t.Errorf("sent again = %+v, %v, refused for %q, want it to be tried", again, err, refused())
		}
		try(again, notice.Result{State: notice.Bounced, Attempts: 1, Reason: "550 5.1.1 still nobody", Gone: true})
		if got := write("cko_4"); got.State != notice.Bounced || refused() != "550 5.1.1 still nobody" {
			t.Errorf("refused again a mail is %s, for %q, want it bounced anew", got.State, refused())
		}
		address := "moved@hanbit.example"
		must(t, s.ChangeAccount(t.Context(), "acc_1", access.AccountChange{Email: &address}))
		if got := write("cko_5"); got.State != notice.Waiting || refused() != "" {
			t.Errorf("at a new address a mail is %s, refused for %q, want it to wait", got.State, refused())
		}
	})
}
