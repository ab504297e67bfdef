package store

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/tasks"
)

func sampled(t *testing.T, s *Store, now time.Time) Sample {
	t.Helper()
	got, err := s.Sample(t.Context(), now)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// Only what has something to send waits; two broadcasts of one bot are one bot that stands.
func TestSample_waits(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		for _, b := range []struct {
			id, bot, state, wait string
			planned              int
		}{
			{"brd_1", "a", "running", "kakao", 2}, {"brd_2", "a", "running", "kakao", 2}, {"brd_3", "b", "running", "kakao", 2},
			{"brd_4", "b", "running", "funds", 2}, {"brd_5", "b", "running", "", 2}, {"brd_6", "b", "paused", "approval", 2},
			{"brd_7", "b", "finished", "", 0}, {"brd_8", "b", "running", "kakao", 0}, // all of it is sent
		} {
			if b.id == "brd_1" || b.id == "brd_3" {
				shop(t, s, b.bot, 1000)
			}
			running(t, s, order(b.id, "bot_"+b.bot), 3)
			exec(t, s, `UPDATE broadcast SET state = $2, wait_reason = $3, planned_chunks = $4 WHERE id = $1`, b.id, b.state, b.wait, b.planned)
		}
		got := sampled(t, s, t0)
		want := map[broadcast.Wait]int64{broadcast.WaitKakao: 3, broadcast.WaitFunds: 1, broadcast.WaitApproval: 1}
		if diff := cmp.Diff(want, got.Waits); diff != "" || got.BotsStanding != 2 {
			t.Errorf("Sample() has %d bots that stand, want 2, and waits (-want +got):\n%s", got.BotsStanding, diff)
		}
	})
}

func TestSample_pausedBots(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		for id, reason := range map[string]string{"a": "", "b": "config", "c": "provider", "d": "provider"} {
			newBot(t, s, id, "")
			exec(t, s, `UPDATE bot SET paused_reason = $2 WHERE id = $1`, id, reason)
		}
		if got := sampled(t, s, t0); got.BotsConfig != 1 || got.BotsProvider != 2 {
			t.Errorf("Sample() has %d bots paused for their key and %d for Kakao's balance, want 1 and 2", got.BotsConfig, got.BotsProvider)
		}
	})
}

func TestSample_unpaid(t *testing.T) {
	const day = 24 * time.Hour
	eachDatabase(t, func(t *testing.T, s *Store) {
		for id, unpaid := range map[string]time.Duration{"a": 0, "b": day - time.Millisecond, "c": day, "d": 5*day - time.Millisecond, "e": 5 * day, "f": 40 * day} {
			newWallet(t, s, id, 0)
			exec(t, s, `UPDATE wallet SET payment_state = 'UNPAID', unpaid_since = $2 WHERE id = $1`, id, millis(t0.Add(-unpaid)))
		}
		newWallet(t, s, "paid", 0)
		exec(t, s, `UPDATE wallet SET payment_state = 'AWAITING_RECONNECT', unpaid_since = 1 WHERE id = 'paid'`)
		got := sampled(t, s, t0)
		want := map[UnpaidAge]int64{"under_1d": 2, "under_5d": 2, "over_5d": 2}
		if diff := cmp.Diff(want, got.Unpaid); diff != "" || !got.UnpaidSince.Equal(t0.Add(-40*day)) {
			t.Errorf("Sample() has the oldest since %v, and unpaid wallets (-want +got):\n%s", got.UnpaidSince, diff)
		}
	})
}

func TestSample_cards(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		exec(t, s, `INSERT INTO account (id, name, email, created_at) VALUES ('acc_1', 'a', 'a@b.example', 1)`)
		for id, state := range map[string]string{"a": "usable", "b": "usable", "c": "dormant", "d": "dead", "gone": "dormant"} {
			newCard(t, s, id, "acc_1", "", 0)
			exec(t, s, `UPDATE card SET state = $2 WHERE id = $1`, id, state)
		}
		exec(t, s, `UPDATE card SET removed_at = 1 WHERE id = 'gone'`)
		want := map[billing.CardState]int64{billing.CardUsable: 2, billing.CardDormant: 1, billing.CardDead: 1}
		if diff := cmp.Diff(want, sampled(t, s, t0).Cards); diff != "" {
			t.Errorf("Sample() has cards (-want +got):\n%s", diff)
		}
	})
}

func TestSample_mails(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		for i, state := range []string{"sent", "waiting", "sending", "bounced", "failed"} {
			exec(t, s, `INSERT INTO mail (id, wallet_id, mail_case, subject_id, receiver, name, data, state, next_at, created_at, epoch, enqueued_at,
				attempts, lease_until, error, sent_at) VALUES ($1, 'w', 'unpaid', $1, 'a@b.example', '', '{}', $2, 0, $3, 0, 0, 0, 0, '', 0)`,
				state, state, millis(t0.Add(time.Duration(i)*time.Minute)))
		}
		if got := sampled(t, s, t0); got.MailsWaiting != 2 || !got.MailSince.Equal(t0.Add(time.Minute)) {
			t.Errorf("Sample() has %d mails that wait, the oldest of %v, want 2 and %v", got.MailsWaiting, got.MailSince, t0.Add(time.Minute))
		}
	})
}

func TestSample_deadTasks(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		for id, d := range map[string][2]string{"1": {tasks.TypeSendMail, "dead"}, "2": {tasks.TypeSendMail, "dead"}, "3": {tasks.TypeSendMail, "retried"},
			"4": {tasks.TypeSendChunk, "discarded"}, "5": {"later:thing", "dead"}} {
			exec(t, s, `INSERT INTO dead_task (id, queue, type, task_id, row_id, epoch, cause, error, retried, died_at, state, decided_at, decided_by)
				VALUES ($1, 'mail', $2, $1, '', 0, 'panic', '', 0, 1, $3, 0, '')`, id, d[0], d[1])
		}
		if diff := cmp.Diff(map[string]int64{tasks.TypeSendMail: 2, "later:thing": 1}, sampled(t, s, t0).DeadTasks); diff != "" {
			t.Errorf("Sample() has dead tasks (-want +got):\n%s", diff)
		}
	})
}
