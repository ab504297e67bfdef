package acceptance_test

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/malgil/malgil/internal/apiclient"
)

func TestEventAPI(t *testing.T) {
	show(t, map[string]func(*testing.T){
		"25_not_a_friend":       notAFriend,
		"26_price_of_a_message": priceOfAMessage,
		"27_vat_apart":          vatApart,
		"28_chat_is_free":       chatIsFree,
		"29_prices":             prices,

		"code_for_kakao":          codeForKakao,
		"code_for_kakao_in_rooms": codeForKakaoInRooms,
		"code_for_kakao_restart":  codeForKakaoRestart,
		"code_for_kakao_wallet":   codeForKakaoWallet,
		"code_for_kakao_repeated": codeForKakaoRepeated,
		"what_kakao_asks_for":     whatKakaoAsksFor,
		"doubts_are_decided":      doubtsAreDecided,
		"the_failed_once_more":    theFailedOnceMore,
		"results_as_a_file":       resultsAsAFile,
	})
}

// Whom a broadcast did not reach is sent to once more, by reason, and nobody else is; each is in
// one retry.
func theFailedOnceMore(t *testing.T) {
	h := open(t, plan{})
	s := h.openShop(0)
	s.topUp(10_000)
	b := s.finish(s.order(append(s.friends(4), "stranger-1", "stranger-2")...))
	retry := func(of broadcast, body map[string]any) (again broadcast, err error) {
		err = h.api.Call(t.Context(), "POST", "/api/v1/broadcasts/"+of.ID+"/retry", body, &again, apiclient.IdempotencyKey(rand.Text()))
		return again, err
	}
	_, err := retry(b, map[string]any{"error_types": []int{201}})
	refuses(t, err, 409, "NOBODY_TO_RETRY")
	again, err := retry(b, map[string]any{"error_types": []int{100}})
	if err != nil {
		t.Fatal(err)
	}
	if again = s.finish(again); again.Counts.Audience != 2 || again.Counts.Failed != 2 {
		t.Errorf("the retry counts %+v, want the two strangers, who are no friends still", again.Counts)
	}
	for _, overlaps := range []map[string]any{{}, {"error_types": []int{201, 100}}} {
		_, err = retry(b, overlaps)
		refuses(t, err, 409, "RETRIED")
	}
	for _, nobody := range []map[string]any{{"error_types": []int{0, 201}}, {"failed": false, "skipped": true}} {
		_, err = retry(b, nobody)
		refuses(t, err, 409, "NOBODY_TO_RETRY")
	}
	third, err := retry(again, map[string]any{})
	if err != nil {
		t.Fatalf("the retry of a retry: %v", err)
	}
	s.finish(third)
	h.balance()
}

// Everybody's outcome can be had as a file, in the order of the audience; a cell that a spreadsheet would
// run is a text.
func resultsAsAFile(t *testing.T) {
	h := open(t, plan{})
	s := h.openShop(0)
	s.topUp(10_000)
	people := append(s.friends(120), "=cmd|'/c calc'!A1", "stranger-2")
	b := s.finish(s.order(people...))
	path := "/api/v1/broadcasts/" + b.ID + "/results"
	lines := strings.Split(strings.TrimSuffix(string(h.document(path+"?bom=true")), "\r\n"), "\r\n")
	if lines[0] != "\uFEFFtype,id,outcome,error_type,message,captured_krw,chunk,posting" || len(lines) != 123 {
		t.Fatalf("the CSV begins %q and has %d lines, want its header and 122 people", lines[0], len(lines))
	}
	for i, want := range map[int]string{
		1:   "botUserKey," + people[0] + ",delivered,,,15," + b.ID + "-000001,capture/" + b.ID + "-000001",
		121: "botUserKey,'" + people[120] + ",delivered,,,15,",
		122: "botUserKey,stranger-2,failed,100,",
	} {
		if !strings.HasPrefix(lines[i], want) {
			t.Errorf("line %d of the CSV = %q, want %q", i, lines[i], want)
		}
	}
	failed := strings.Split(strings.TrimSpace(string(h.document(path+"?format=ndjson&outcome=failed"))), "\n")
	var first struct{ ID, Outcome string }
	if err := json.Unmarshal([]byte(failed[0]), &first); err != nil || len(failed) != 1 || first.ID != people[121] || first.Outcome != "failed" {
		t.Errorf("the failed people as NDJSON are %q, want the stranger", failed)
	}
	again := s.finish(s.order(people[121]))
	for person, want := range map[string][]string{people[0]: {b.ID + " delivered 15"}, people[121]: {again.ID + " failed 0", b.ID + " failed 0"}, "nobody": nil} {
		var got struct {
			Items []struct {
				Broadcast, Outcome string
				Captured           int64 `json:"captured_krw"`
			}
		}
		h.get("/api/v1/bots/"+s.bot+"/messages?person="+person, &got)
		var told []string
		for _, m := range got.Items {
			told = append(told, fmt.Sprintf("%s %s %d", m.Broadcast, m.Outcome, m.Captured))
		}
		if !slices.Equal(told, want) {
			t.Errorf("what %s got is %q, want %q", person, told, want)
		}
	}
	h.balance()
}

// Requests whose answers were lost are in doubt, and nobody is sent to again until a person says what
// became of them; then money and counts follow.
func doubtsAreDecided(t *testing.T) {
	h := open(t, plan{})
	s := h.openShop(0)
	s.topUp(10_000)
	h.fault("kakao.send", "cut_before", map[string]any{"count": 1})
	lost := s.finish(s.order(s.friends(3)...))
	h.fault("kakao.send", "cut_after", map[string]any{"count": 1})
	arrived := s.finish(s.order(s.friends(2)...))
	if lost.Counts.InDoubt != 3 || arrived.Counts.InDoubt != 2 {
		t.Fatalf("in doubt are %+v and %+v, want 3 and 2 people", lost.Counts, arrived.Counts)
	}
	decide := func(b broadcast, finding string) {
		t.Helper()
		h.do("POST", "/api/v1/broadcasts/"+b.ID+"/decide", map[string]any{"finding": finding, "note": "as Kakao says"}, nil, apiclient.IdempotencyKey(rand.Text()))
	}
	decide(arrived, "sent")
	decide(lost, "not_sent")
	lost, arrived = s.finish(lost), s.look(arrived)
	if lost.Counts.Delivered != 3 || arrived.Counts.Delivered != 2 || lost.Captured != 45 || arrived.Captured != 30 {
		t.Errorf("delivered are %+v and %+v for %d and %d KRW, want 3 and 2 for 45 and 30", lost.Counts, arrived.Counts, lost.Captured, arrived.Captured)
	}
	h.balance() // nobody got anything twice
}

// One of three people has not added the channel: that message fails with Kakao's reason and costs
// nothing, the others arrive.
func notAFriend(t *testing.T) {
	h := open(t, plan{})
	s := h.openShop(0)
	s.topUp(1_000)
	friends := s.friends(2)
	b := s.finish(s.order(friends[0], "stranger-1", friends[1]))
	if b.Counts.Delivered != 2 || b.Counts.Failed != 1 || b.Captured != 30 {
		t.Errorf("broadcast delivered %d, failed %d and cost %d KRW; want 2, 1 and 30", b.Counts.Delivered, b.Counts.Failed, b.Captured)
	}
	var failures struct {
		Items []struct {
			ID      string `json:"id"`
			Type    string `json:"type"`
			Code    int    `json:"error_type"`
			Message string `json:"message"`
		} `json:"items"`
	}
	h.get("/api/v1/broadcasts/"+b.ID+"/failures", &failures)
	if len(failures.Items) != 1 || failures.Items[0].ID != "stranger-1" || failures.Items[0].Code != 100 || failures.Items[0].Message == "" {
		t.Errorf("failures %+v, want stranger-1 alone with Kakao's type 100 and its words", failures.Items)
	}
	for person, want := range map[string]int{friends[0]: 1, friends[1]: 1, "stranger-1": 0} {
		var list struct {
			Items []struct {
				Times int `json:"times"`
			} `json:"items"`
		}
		h.ask(fmt.Sprintf("/sandbox/truth/people?bot=%s&type=botUserKey&id=%s", s.bot, person), &list)
		if len(list.Items) != 1 || list.Items[0].Times != want {
			t.Errorf("%s was reached %+v, want %d times", person, list.Items, want)
		}
	}
	if reached := h.truth().Kakao.People.Reached; reached != 2 {
		t.Errorf("%d people were reached, want 2", reached)
	}
	if w := s.see().Balance; w.Paid != 970 || w.Held != 0 || w.Spendable != 970 {
		t.Errorf("the wallet has %d KRW, holds %d and can spend %d; want 970, 0 and 970", w.Paid, w.Held, w.Spendable)
	}
	h.balance()
}

// 100 messages that arrive are 1,500 KRW, on the development channel as on the live one.
func priceOfAMessage(t *testing.T) {
	h := open(t, plan{})
	s := h.openShop(0)
	s.topUp(10_000)
	b := s.deliver(100)
	var captures []posting
	for _, p := range s.postings() {
		if p.Kind == "capture" {
			captures = append(captures, p)
		}
	}
	if b.Captured != 1_500 || len(captures) != 1 || captures[0].Revenue != 1_500 || captures[0].Paid != -1_500 {
		t.Errorf("100 messages captured %d KRW with postings %+v, want 1500 with one of paid cash", b.Captured, captures)
	}
	if b := s.finish(s.orderOn("development", s.friends(100)...)); b.Counts.Delivered != 100 || b.Captured != 1_500 {
		t.Errorf("on the development channel %d messages arrived for %d KRW, want 100 for 1500", b.Counts.Delivered, b.Captured)
	}
	if w := s.see().Balance; w.Paid != 7_000 || w.Accrual != 0 {
		t.Errorf("the wallet has %d KRW and owes %d, want 7000 and 0", w.Paid, w.Accrual)
	}
	h.balance()
}

// VAT is added when money moves: 150 KRW to a charge of 1,500, rounded half up once a charge.
func vatApart(t *testing.T) {
	h := open(t, plan{})
	s := h.openShop(1)
	for i, tt := range []struct {
		people             int
		supply, vat, total int64
	}{
		{100, 1_500, 150, 1_650},
		{1, 15, 2, 17},
		{5, 75, 8, 83},
		{101, 1_515, 152, 1_667},
	} {
		s.deliver(tt.people)
		h.sent(i)
		h.midnight()
		c := s.charged(i+1, "paid")
		if c.Supply != tt.supply || c.VAT != tt.vat || c.Total != tt.total {
			t.Errorf("%d messages were charged as %d + %d = %d KRW, want %d + %d = %d",
				tt.people, c.Supply, c.VAT, c.Total, tt.supply, tt.vat, tt.total)
		}
		var payments struct {
			Items []struct {
				Total int64 `json:"total_krw"`
				VAT   int64 `json:"vat_krw"`
			} `json:"items"`
		}
		h.ask("/sandbox/truth/payments?status=SUCCESS_PAYMENT&card="+s.cards[0].plastic, &payments)
		var paid []string
		for _, p := range payments.Items {
			if p.Total > 0 { // the registration was for nothing
				paid = append(paid, fmt.Sprintf("%d with VAT %d", p.Total, p.VAT))
			}
		}
		if want := fmt.Sprintf("%d with VAT %d", tt.total, tt.vat); len(paid) != i+1 || paid[i] != want {
			t.Errorf("the gateway took %q, want %d payments and the last %s", paid, i+1, want)
		}
		for _, p := range s.postings() {
			if p.Kind == "charge_paid" && p.Ref == c.ID && (p.Charging != tt.supply || p.VAT != tt.vat || p.Clearing != -tt.total || p.Rounding != 0) {
				t.Errorf("posting %+v, want %d of supply and %d of VAT for %d from the card", p, tt.supply, tt.vat, tt.total)
			}
		}
	}
	h.balance()
}

// 1,000 people chat, and it costs nothing.
func chatIsFree(t *testing.T) {
	h := open(t, plan{})
	s := h.openShop(1)
	before := s.see().Balance

	const utterances, users = 1_000, 16
	failures := make(chan error, utterances)
	var playing sync.WaitGroup
	for user := range users {
		playing.Go(func() {
			for i := user; i < utterances; i += users {
				words, want := hoursName, hours
				switch {
				case i < users:
					words, want = gibberish, greeting // his first entry
				case i/users%2 == 0: // never several in a row, after which a person is offered
					words, want = "무슨 말인지 모를 말", fallback
				}
				failures <- h.saysAndHears(s, fmt.Sprintf("user-%d", user), words, want)
			}
		})
	}
	playing.Wait()
	for range utterances {
		if err := <-failures; err != nil {
			t.Error(err)
		}
	}
	if got := s.postings(); len(got) != 0 {
		t.Errorf("1000 utterances made postings %+v, want none", got)
	}
	if after := s.see().Balance; after != before {
		t.Errorf("1000 utterances moved the wallet from %+v to %+v", before, after)
	}
	h.counted(utterances, "malgil_answers_total")
	h.balance()
}
