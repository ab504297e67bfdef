package acceptance_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestMails(t *testing.T) {
	show(t, map[string]func(*testing.T){
		"36_receivers":          mailReceivers,
		"37_unpaid_once":        unpaidOnce,
		"37_low_balance":        lowBalance,
		"38_channel_connected":  channelConnected,
		"39_cash_granted":       cashGranted,
		"40_free_cash_expiring": freeCashExpiring,
		"41_auto_pay_success":   autoPaySuccess,
		"41_auto_pay_failure":   autoPayFailure,
		"42_long_failure":       longFailure,
		"43_topup":              topUpMail,
		"43_refund_done":        refundMail,
		"43_invoice":            invoiceMails,
		"43_server_down_a_day":  serverDownADay,
	})
}

// letter is a letter in the inbox of the sandbox.
type letter struct {
	Subject string `json:"subject"`
	Text    string `json:"text"`
	HTML    string `json:"html"`
	Problem string `json:"problem"`
}

// mails waits for so many letters to somebody whose subject holds a text, and returns them; more
// than that is an error. With 0 it looks once.
func (h *house) mails(to account, subject string, want int) []letter {
	h.t.Helper()
	var inbox struct {
		Items []letter `json:"items"`
	}
	h.ask(fmt.Sprintf("/sandbox/mails?to=%s&subject=%s&count=%d&wait_seconds=%d",
		url.QueryEscape(to.email), url.QueryEscape(subject), max(want, 1), 20*min(want, 1)), &inbox)
	var subjects []string
	for _, l := range inbox.Items {
		subjects = append(subjects, l.Subject)
	}
	if len(subjects) != want {
		h.t.Errorf("%d letters about %q to %s, want %d: %q", len(subjects), subject, to.email, want, subjects)
	}
	for _, l := range inbox.Items {
		if l.Problem != "" {
			h.t.Errorf("letter %q cannot be read: %s", l.Subject, l.Problem)
		}
	}
	return inbox.Items
}

// mailed returns when every mail that was due has gone out: one more is caused, and it comes last.
// It tops 2,000 KRW up, which is more than is owed: a smaller sum has the cards of an unpaid wallet
// tried again.
func (s *shop) mailed() {
	s.house.t.Helper()
	var before struct {
		Items []letter `json:"items"`
	}
	about := "/sandbox/mails?to=" + url.QueryEscape(s.master.email) + "&subject=" + url.QueryEscape("캐시 충전")
	s.house.ask(about, &before)
	s.house.advance(time.Second) // the sweep finds what was not enqueued
	s.topUp(2_000)
	s.house.mails(s.master, "캐시 충전", len(before.Items)+1)
}

// mentions fails the test for each text that neither part of a letter holds.
func (h *house) mentions(l letter, texts ...string) {
	h.t.Helper()
	for _, text := range texts {
		if !strings.Contains(l.Text, text) {
			h.t.Errorf("the text of %q does not say %q:\n%s", l.Subject, text, l.Text)
		}
		if !strings.Contains(l.HTML, text) {
			h.t.Errorf("the page of %q does not say %q", l.Subject, text)
		}
	}
}

// korean writes a time as mails do.
func korean(t time.Time) string { return t.In(seoul).Format("2006년 1월 2일 15:04") }

// The master of the wallet, the holders of its work permission and the masters of its bots get
// every mail, once whatever their roles; nobody set anything. A plain bot worker gets none.
func mailReceivers(t *testing.T) {
	h := open(t, plan{})
	s := h.openShop(1) // its master is the master of its bot too
	worker, botMaster, botWorker, stranger := h.account("worker"), h.account("bot-master"), h.account("bot-worker"), h.account("stranger")
	s.member(worker, "worker")
	h.openBot("66a1f0c2d4b7e83f5a9c1dff", "rest-key", s.wallet, map[string]string{
		botMaster.id: "master", botWorker.id: "operator", worker.id: "operator",
	})
	s.topUp(1_500)
	s.deliver(200)
	h.sent(3)
	h.midnight()
	s.charged(1, "paid")
	s.deliver(100)
	s.behave("declined", s.cards...)
	h.sent(6)
	h.midnight()
	s.charged(2, "failed")
	s.mailed()

	for _, tt := range []struct {
		subject string
		times   int // the last top-up is the second
	}{{"캐시 충전 완료", 2}, {"자동결제 완료", 1}, {"자동결제 실패", 1}, {"요금 미납", 1}} {
		for _, to := range []account{s.master, worker, botMaster} {
			h.mails(to, tt.subject, tt.times)
		}
	}
	for _, to := range []account{botWorker, stranger} {
		h.mails(to, "", 0)
	}
	h.balance()
}

// An unpaid wallet tells once that it is, however often its cards fail after that.
func unpaidOnce(t *testing.T) {
	h := open(t, plan{})
	s := h.openShop(1)
	s.deliver(100)
	s.behave("declined", s.cards...)
	failed := h.midnight()
	s.charged(1, "failed")
	l := h.mails(s.master, "요금 미납", 1)
	h.sent(2)
	h.midnight()
	s.charged(2, "failed")
	s.mailed()
	h.mails(s.master, "요금 미납", 1)
	h.mails(s.master, "자동결제 실패", 2)
	if len(l) == 1 {
		h.mentions(l[0], "1,650원", korean(failed.AddDate(0, 0, 1)))
	}
	h.balance()
}

// The mail of a charge names the card that paid, and those that did not.
func autoPaySuccess(t *testing.T) {
	h := open(t, plan{config: chargeHundred})
	s := h.openShop(2)
	s.behave("declined", s.cards[0])
	s.deliver(100)
	s.charged(1, "paid")
	s.mailed()
	for _, l := range h.mails(s.master, "자동결제 완료", 1) {
		h.mentions(l, "1,650원", "1,500원", "150원", s.cards[1].issuer+" "+s.cards[1].masked, s.cards[0].issuer+" "+s.cards[0].masked, "한도초과")
	}
	h.mails(s.master, "자동결제 실패", 0)
	h.balance()
}

// The mail of a failed charge lists every card that was tried, why it failed, and the next try.
func autoPayFailure(t *testing.T) {
	h := open(t, plan{})
	s := h.openShop(3)
	s.deliver(100)
	s.behave("declined", s.cards[0], s.cards[2])
	h.tell("POST", "/sandbox/cards/"+s.cards[1].plastic+"/dormant", nil, nil)
	failed := h.midnight()
	c := s.charged(1, "failed")
	if len(c.Attempts) != 3 || c.Attempts[1].Reason != "dormant" {
		t.Fatalf("attempts %+v, want three and the second dormant", c.Attempts)
	}
	s.mailed()
	for _, l := range h.mails(s.master, "자동결제 실패", 1) {
		h.mentions(l, "1,650원", "한도초과", "휴면 카드", korean(failed.AddDate(0, 0, 1)))
		for _, card := range s.cards {
			h.mentions(l, card.issuer+" "+card.masked)
		}
	}
	h.mails(s.master, "자동결제 완료", 0)
	h.balance()
}

// A top-up is told once, with what was paid and what is in the wallet now.
func topUpMail(t *testing.T) {
	h := open(t, plan{})
	s := h.openShop(0)
	s.topUp(100_000)
	for _, l := range h.mails(s.master, "캐시 충전", 1) {
		h.mentions(l, "110,000원", "100,000원", "10,000원")
	}
	if b := s.see().Balance; b.Paid != 100_000 || b.Spendable != 100_000 {
		t.Errorf("after a top-up of 100000 KRW the wallet has %d and can spend %d", b.Paid, b.Spendable)
	}
	s.mailed() // the second, of 2,000 KRW
	letters := h.mails(s.master, "캐시 충전", 2)
	h.mentions(letters[len(letters)-1], "2,200원", "102,000원")
	h.balance()
}
