package store

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/notice"
	"github.com/malgil/malgil/internal/wallet"
)

// senders gives the bot of a shop its people: a master, an operator, and the worker and the viewer of its wallet.
// There is a stranger too, and an admin of the platform.
func senders(t *testing.T, s *Store, walletID, botID string) {
	t.Helper()
	for _, id := range []string{"acc_master", "acc_operator", "acc_worker", "acc_viewer", "acc_stranger", "acc_admin"} {
		newAccount(t, s, id)
	}
	exec(t, s, `UPDATE account SET platform_admin = 1 WHERE id = 'acc_admin'`)
	exec(t, s, `INSERT INTO bot_member (bot_id, account_id, role) VALUES ($1, 'acc_master', 'master'), ($1, 'acc_operator', 'operator')`, botID)
	exec(t, s, `INSERT INTO wallet_member (wallet_id, account_id, role) VALUES ($1, 'acc_worker', 'worker'), ($1, 'acc_viewer', 'viewer')`, walletID)
}

// toldOf lists whom mails of a case went to.
func toldOf(t *testing.T, s *Store, c notice.Case) []string {
	t.Helper()
	return texts(t, s, `SELECT account_id FROM mail WHERE mail_case = $1 ORDER BY account_id`, string(c))
}

// sealedBy is running by somebody.
func sealedBy(t *testing.T, s *Store, by string, b broadcast.Broadcast, people ...int) broadcast.Broadcast {
	t.Helper()
	b = create(t, s, b)
	upload(t, s, b.ID, people...)
	b, err := s.Seal(t.Context(), b.ID, broadcast.Sealing{By: by}, t0)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// answered settles a sent chunk by what Kakao says of it.
func answered(t *testing.T, s *Store, c chunkRow, tally broadcast.Tally, result string, now time.Time) {
	t.Helper()
	if ok, err := s.SettleChunk(t.Context(), c.Chunk, broadcast.Settlement{Tally: tally, Result: []byte(result)}, now); err != nil || !ok {
		t.Fatalf("SettleChunk(%s) = %v, %v", c.ID, ok, err)
	}
}

// At the end of a broadcast those who send hear what it came to, by number and by reason.
func TestReport(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		s.reportAbove = 100
		walletID, botID := shop(t, s, "1", 100_000)
		senders(t, s, walletID, botID)
		b := sealedBy(t, s, "acc_operator", order("brd_1", botID), 100, 60, 40, 30)
		end := t0.Add(7 * time.Minute)
		first, second, third := sent(t, s, b.ID, 1, t0), sent(t, s, b.ID, 2, t0), chunkOf(t, s, b.ID, 3)
		const failures = `{"taskId":"t","allRequestCount":100,"successCount":96,"userKeyResolvingFailCount":1,"fail":{"count":4,"list":[
			{"userId":"u1-1","errorMsg":{"errorType":100,"msg":"not a friend"}},{"userId":"u1-2","errorMsg":{"errorType":100,"msg":"not a friend"}},
			{"userId":"u1-3","errorMsg":{"errorType":201,"msg":"no answer"}}]}}`
		answered(t, s, first, broadcast.Tally{Delivered: 96, Failed: 3, Unknown: 1}, failures, t0.Add(time.Minute))
		answered(t, s, second, broadcast.Tally{Delivered: 60}, `{}`, t0.Add(2*time.Minute))
		if !claim(t, s, third, t0) || !record(t, s, third, broadcast.Verdict{Outcome: broadcast.Refused, Reason: "no such block"}, t0.Add(3*time.Minute)) {
			t.Fatal("the third chunk cannot be refused")
		}
		want(t, "mails before the end", toldOf(t, s, notice.CaseBroadcastReport))
		last := sent(t, s, b.ID, 4, t0)
		answered(t, s, last, broadcast.Tally{Delivered: 30}, `{}`, end)
		want(t, "mails", toldOf(t, s, notice.CaseBroadcastReport), "acc_master", "acc_operator")

		body := texts(t, s, `SELECT data FROM mail WHERE account_id = 'acc_operator' AND subject_id = 'brd_1' AND wallet_id = $1`, walletID)
		data, err := notice.Decode(notice.CaseBroadcastReport, []byte(strings.Join(body, "")))
		if err != nil {
			t.Fatal(err)
		}
		reasons, err := s.Reasons(t.Context(), b.ID)
		if err != nil {
			t.Fatal(err)
		}
		got := data.(notice.BroadcastReport).Explained(reasons)
		captured := wallet.KRW(186) * price
		wanted := notice.BroadcastReport{
			BroadcastID: "brd_1", Broadcast: b.Name, Bot: got.Bot, WalletName: got.WalletName, OrderedAt: t0, StartedAt: t0, FinishedAt: end,
			Audience: 230, Delivered: 186, Failed: 43, Unknown: 1, Price: price, Path: "/console/broadcasts/brd_1",
			Amount: notice.Amount{Supply: captured, VAT: wallet.VAT(captured), Total: captured + wallet.VAT(captured)},
			Failures: []notice.Reason{{Why: notice.FailedRefused, People: 40}, {Why: notice.FailedAtKakao, Code: 100, Words: "not a friend", People: 2},
				{Why: notice.FailedAtKakao, Code: 201, Words: "no answer", People: 1}},
		}
		if diff := cmp.Diff(wanted, got); diff != "" || got.Bot == "" || got.WalletName == "" {
			t.Errorf("the mail says (-want +got):\n%s", diff)
		}
	})
}

// What was cancelled, has expired or left people out says so; what finishes again is told of once.
func TestReport_leftOut(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		s.reportAbove = 100
		walletID, botID := shop(t, s, "1", 100_000)
		senders(t, s, walletID, botID)
		told := func(id string) (all []notice.Reason, cancelled bool) {
			t.Helper()
			body := texts(t, s, `SELECT data FROM mail WHERE account_id = 'acc_master' AND subject_id = $1`, id)
			if len(body) != 1 {
				t.Fatalf("%d mails about %s, want one", len(body), id)
			}
			data, err := notice.Decode(notice.CaseBroadcastReport, []byte(body[0]))
			if err != nil {
				t.Fatal(err)
			}
			reasons, err := s.Reasons(t.Context(), broadcast.ID(id))
			if err != nil {
				t.Fatal(err)
			}
			report := data.(notice.BroadcastReport).Explained(reasons)
			return report.LeftOut, report.Cancelled
		}

		b := sealedBy(t, s, "acc_operator", order("brd_1", botID), 100, 60)
		first := sent(t, s, b.ID, 1, t0)
		if _, err := s.Cancel(t.Context(), b.ID, t0.Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		exec(t, s, `UPDATE chunk SET left_out = 'opted_out' WHERE id = $1`, chunkOf(t, s, b.ID, 2).ID)
		want(t, "mails while something is on its way", toldOf(t, s, notice.CaseBroadcastReport))
		answered(t, s, first, broadcast.Tally{Delivered: 100}, `{}`, t0.Add(time.Minute))
		if left, cancelled := told("brd_1"); !cancelled || cmp.Diff([]notice.Reason{{Why: notice.LeftOptedOut, People: 60}}, left) != "" {
			t.Errorf("the first says cancelled %v and %+v", cancelled, left)
		}

		o := order("brd_2", botID)
		o.ExpiresAt = t0.Add(time.Hour)
		sealedBy(t, s, "acc_operator", o, 100, 1)
		if _, err := s.RetireOver(t.Context(), t0.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if left, cancelled := told("brd_2"); cancelled || cmp.Diff([]notice.Reason{{Why: notice.LeftByExpiry, People: 101}}, left) != "" {
			t.Errorf("the second says cancelled %v and %+v", cancelled, left)
		}

		// A doubt that a person ends has the broadcast finish again.
		b = sealedBy(t, s, "acc_operator", order("brd_3", botID), 100, 2)
		first = sent(t, s, b.ID, 1, t0)
		second := chunkOf(t, s, b.ID, 2)
		if !claim(t, s, second, t0) || !record(t, s, second, broadcast.Verdict{Outcome: broadcast.OutcomeInDoubt}, t0) {
			t.Fatal("the second chunk cannot be in doubt")
		}
		answered(t, s, first, broadcast.Tally{Delivered: 100}, `{}`, t0.Add(time.Minute))
		told("brd_3")
		d := broadcast.Decision{Broadcast: b.ID, Finding: broadcast.FoundNotSent, Note: "asked them", At: t0.Add(time.Hour)}
		if done, err := s.DecideChunks(t.Context(), d); err != nil || done.People != 2 {
			t.Fatalf("DecideChunks = %+v, %v", done, err)
		}
		if b := wantBroadcast(t, s, b.ID); b.State != broadcast.Running {
			t.Fatalf("it is %s, want it open again", b.State)
		}
		answered(t, s, sent(t, s, b.ID, 2, t0.Add(2*time.Hour)), broadcast.Tally{Delivered: 2}, `{}`, t0.Add(2*time.Hour))
		if b := wantBroadcast(t, s, b.ID); b.State != broadcast.Finished {
			t.Fatalf("it is %s, want it finished again", b.State)
		}
		told("brd_3")
	})
}

// Who hears of a broadcast is who sends with its bot and who ordered it, while he sees it, and of which broadcasts.
func TestReport_receivers(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		walletID, botID := shop(t, s, "1", 1_000_000)
		senders(t, s, walletID, botID)
		exec(t, s, `INSERT INTO mail_mute (wallet_id, account_id, mail_case, since) VALUES ($1, 'acc_viewer', 'broadcast_report', 1)`, walletID)
		n := 0
		for name, tt := range map[string]struct {
			above, people int
			by            string
			testOf        broadcast.ID
			want          []string
		}{
			"the operator":                    {100, 101, "acc_operator", "", []string{"acc_master", "acc_operator"}},
			"the master":                      {100, 101, "acc_master", "", []string{"acc_master"}},
			"a worker of the wallet":          {100, 101, "acc_worker", "", []string{"acc_master", "acc_worker"}},
			"an admin of the platform":        {100, 101, "acc_admin", "", []string{"acc_admin", "acc_master"}},
			"who does without":                {100, 101, "acc_viewer", "", []string{"acc_master"}},
			"who does not see it":             {100, 101, "acc_stranger", "", []string{"acc_master"}},
			"a token that is nobody":          {100, 101, "tok_1", "", []string{"acc_master"}},
			"nobody":                          {100, 101, "", "", []string{"acc_master"}},
			"as many people as are not above": {101, 101, "acc_operator", "", nil},
			"never":                           {0, 101, "acc_operator", "", nil},
			"a test":                          {100, 101, "acc_operator", "brd_0", nil},
		} {
			t.Run(name, func(t *testing.T) {
				n++
				s.reportAbove = tt.above
				o := order(fmt.Sprintf("brd_%02d", n), botID)
				o.TestOf = tt.testOf
				b := sealedBy(t, s, tt.by, o, 100, tt.people-100)
				if _, err := s.Cancel(t.Context(), b.ID, t0); err != nil {
					t.Fatal(err)
				}
				want(t, "mails", texts(t, s, `SELECT account_id FROM mail WHERE subject_id = $1 ORDER BY account_id`, string(b.ID)), tt.want...)
			})
		}
		// Its mail is sent once more to an operator, as long as he is one.
		again := func(key string) error {
			id := texts(t, s, `SELECT MIN(id) FROM mail WHERE account_id = 'acc_operator'`)[0]
			exec(t, s, `UPDATE mail SET state = 'sent' WHERE id = $1`, id)
			_, err := s.ResendMail(t.Context(), notice.Resend{WalletID: walletID, MailID: id, At: t0, Request: notice.Request{Scope: "tok_1", Key: key, BodyHash: []byte(key)}})
			return err
		}
		must(t, again("first"))
		exec(t, s, `DELETE FROM bot_member WHERE account_id = 'acc_operator'`)
		if err := again("second"); fault.CodeOf(err) != "NOT_A_RECEIVER" {
			t.Errorf("ResendMail to one who left = %v, want NOT_A_RECEIVER", err)
		}
		exec(t, s, `INSERT INTO bot_member (bot_id, account_id, role) VALUES ($1, 'acc_operator', 'operator')`, botID)

		// Nobody of the wallet's people, the operator mutes what he has got, and only that.
		m := notice.Mute{WalletID: walletID, AccountID: "acc_operator", Case: notice.CaseBroadcastReport, Since: t0}
		must(t, s.PutMute(t.Context(), m))
		m.Case = notice.CaseTopUp
		if err := s.PutMute(t.Context(), m); fault.KindOf(err) != fault.Invalid || err == nil {
			t.Errorf("PutMute of a case of which he gets none = %v, want Invalid", err)
		}
		s.reportAbove = 100
		b := sealedBy(t, s, "acc_operator", order("brd_muted", botID), 100, 1)
		if _, err := s.Cancel(t.Context(), b.ID, t0); err != nil {
			t.Fatal(err)
		}
		want(t, "mails once muted", texts(t, s, `SELECT account_id FROM mail WHERE subject_id = 'brd_muted'`), "acc_master")
	})
}
