package store

import (
	"testing"
	"time"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/notice"
)

// Who mutes a kind gets no mail of it about that wallet, and everything else; so do the others.
func TestMute(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		noticeWorld(t, s)
		mute := notice.Mute{WalletID: "wal_1", AccountID: "acc_3", Case: notice.CaseTopUp, Since: t0}
		for range 2 {
			must(t, s.PutMute(t.Context(), mute))
		}
		list, err := s.Mutes(t.Context(), "wal_1")
		mute.Name = "김하늘"
		if err != nil || len(list) != 1 || list[0] != mute {
			t.Fatalf("Mutes() = %+v, %v, want %+v", list, err, mute)
		}
		unpaid, other := topUpEvent, topUpEvent
		unpaid.Data = notice.Unpaid{WalletName: "한빛서점"}
		other.WalletID = "wal_2"
		exec(t, s, `INSERT INTO wallet_member (wallet_id, account_id, role) VALUES ('wal_2', 'acc_3', 'worker')`)
		writeNotices(t, s, topUpEvent, unpaid, other)
		mails := func() []string {
			return texts(t, s, `SELECT wallet_id || ' ' || mail_case || ' ' || account_id FROM mail ORDER BY 1`)
		}
		want(t, "mails", mails(), "wal_1 topup acc_1", "wal_1 topup acc_2", "wal_1 unpaid acc_1", "wal_1 unpaid acc_2", "wal_1 unpaid acc_3",
			"wal_2 topup acc_3", "wal_2 topup acc_5")
		for range 2 {
			must(t, s.DropMute(t.Context(), mute))
		}
		exec(t, s, `DELETE FROM mail`)
		writeNotices(t, s, topUpEvent)
		want(t, "mails after unmuting", mails(), "wal_1 topup acc_1", "wal_1 topup acc_2", "wal_1 topup acc_3")
	})
}

func TestPutMute_refused(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		noticeWorld(t, s)
		for name, tt := range map[string]struct {
			mute notice.Mute
			want fault.Kind
		}{
			"no wallet":            {notice.Mute{WalletID: "wal_9", AccountID: "acc_1", Case: notice.CaseTopUp}, fault.NotFound},
			"a plain bot operator": {notice.Mute{WalletID: "wal_1", AccountID: "acc_4", Case: notice.CaseTopUp}, fault.Invalid},
			"a stranger":           {notice.Mute{WalletID: "wal_1", AccountID: "acc_5", Case: notice.CaseTopUp}, fault.Invalid},
			"always sent":          {notice.Mute{WalletID: "wal_1", AccountID: "acc_1", Case: notice.CaseUnpaid}, fault.Invalid},
			"no case":              {notice.Mute{WalletID: "wal_1", AccountID: "acc_1", Case: "weather"}, fault.Invalid},
		} {
			tt.mute.Since = t0
			if err := s.PutMute(t.Context(), tt.mute); fault.KindOf(err) != tt.want || err == nil {
				t.Errorf("%s: PutMute = %v, want %s", name, err, tt.want)
			}
		}
	})
}

func TestMuteOf(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		noticeWorld(t, s)
		unpaid := topUpEvent
		unpaid.Data = notice.Unpaid{WalletName: "한빛서점"}
		writeNotices(t, s, topUpEvent, unpaid)
		to := notice.Receiver{Address: "acc_3@hanbit.example"}
		id := topUpEvent.MailID(to)
		m, err := s.MuteOf(t.Context(), id)
		if err != nil || m.AccountID != "acc_3" || m.WalletID != "wal_1" || m.Case != notice.CaseTopUp || m.WalletName != "한빛서점" || !m.Since.IsZero() {
			t.Fatalf("MuteOf(%s) = %+v, %v, want what acc_3 would mute", id, m, err)
		}
		m.Since = t0.Add(time.Hour)
		must(t, s.PutMute(t.Context(), m.Mute))
		if again, err := s.MuteOf(t.Context(), id); err != nil || again != m {
			t.Errorf("MuteOf(%s) once muted = %+v, %v, want %+v", id, again, err, m)
		}
		for name, id := range map[string]string{"no mail": "mail_9", "always sent": unpaid.MailID(to)} {
			if m, err := s.MuteOf(t.Context(), id); fault.KindOf(err) != fault.NotFound {
				t.Errorf("%s: MuteOf = %+v, %v, want not found", name, m, err)
			}
		}
	})
}
