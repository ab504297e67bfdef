package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/kakao"
	"github.com/malgil/malgil/internal/reconcile"
	"github.com/malgil/malgil/internal/wallet"
)

var noon = time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)

var today = reconcile.Window{From: noon.Add(-12 * time.Hour), To: noon.Add(12 * time.Hour)}

// shelf is a store with payments and chunks of one wallet; what it does not have agrees.
type shelf struct {
	reconcile.Store
	wallets  []string
	payments []reconcile.Payment
	sent     []reconcile.SentChunk
	keeps    []wallet.KRW // as CorrectPayment was told
}

func (s *shelf) WalletsAfter(_ context.Context, after string, _ int) ([]string, error) {
	for _, id := range s.wallets {
		if id > after {
			return []string{id}, nil
		}
	}
	return nil, nil
}

func (s *shelf) CompareBalances(context.Context, []string) ([]reconcile.Finding, error) {
	return nil, nil
}

func (s *shelf) CompareMessages(context.Context, reconcile.Mark, reconcile.Window) ([]reconcile.Finding, *reconcile.Mark, error) {
	return nil, nil, nil
}

func (s *shelf) ComparePostings(context.Context, reconcile.Mark, reconcile.Window) ([]reconcile.Finding, *reconcile.Mark, error) {
	return nil, nil, nil
}

func (s *shelf) PaymentsEnded(_ context.Context, m reconcile.Mark, _ reconcile.Window) (ended []reconcile.Payment, next *reconcile.Mark, err error) {
	for _, p := range s.payments {
		if p.WalletID == m.Wallet && p.AttemptID > m.ID {
			ended = append(ended, p)
		}
	}
	return ended, nil, nil
}

func (s *shelf) Payment(_ context.Context, _, attemptID string) (reconcile.Payment, error) {
	for _, p := range s.payments {
		if p.AttemptID == attemptID {
			return p, nil
		}
	}
	return reconcile.Payment{}, fault.New(fault.NotFound, "no payment")
}

func (s *shelf) CorrectPayment(_ context.Context, c reconcile.Correction, keeps wallet.KRW) (*wallet.Posting, bool, error) {
	s.keeps = append(s.keeps, keeps)
	return &wallet.Posting{Kind: wallet.Correction, Ref: c.Subject}, false, nil
}

func (s *shelf) SentChunks(context.Context, reconcile.Mark, reconcile.Window) ([]reconcile.SentChunk, *reconcile.Mark, error) {
	return s.sent, nil, nil
}

// outside answers every look-up.
type outside struct {
	order   billing.Order
	account billing.BankAccount
	sent    billing.Sending
	result  kakao.SendResult
	err     error
	asked   int
}

func (o *outside) Order(_ context.Context, _ billing.Purpose, tid string) (billing.Order, error) {
	o.asked++
	if o.order.Payment.TID == "" {
		o.order.Payment.TID, o.order.Payment.OrderID = tid, "att_1"
	}
	return o.order, o.err
}

func (o *outside) Account(context.Context, string) (billing.BankAccount, error) {
	return o.account, o.err
}
func (o *outside) Sent(context.Context, string) (billing.Sending, error) { return o.sent, o.err }
func (o *outside) Result(context.Context, string, string) (kakao.SendResult, error) {
	return o.result, o.err
}

func service(s *shelf, o *outside) *reconcile.Service {
	return reconcile.New(s, o, o, o, func() time.Time { return noon })
}

// What the gateway and the bank say decides what differs, and what is a person's to decide.
func TestCompare_providers(t *testing.T) {
	topUp := reconcile.Payment{AttemptID: "att_1", WalletID: "w", Kind: billing.TopUpAttempt, Method: billing.ByCard, TID: "T1",
		State: billing.Done, Total: 1_100, Booked: 1_100, ClosedAt: noon}
	with := func(change func(*reconcile.Payment)) reconcile.Payment {
		p := topUp
		change(&p)
		return p
	}
	declined := with(func(p *reconcile.Payment) { p.State, p.Booked = billing.Declined, 0 })
	banked := with(func(p *reconcile.Payment) { p.Method, p.TID = billing.ByBank, "" })
	sentBack := with(func(p *reconcile.Payment) { p.Kind, p.Method, p.TID = billing.RefundAttempt, billing.ByBank, "" })
	paid := billing.Payment{Total: 1_100}
	tests := map[string]struct {
		payment  reconcile.Payment
		provider outside
		want     string // kind, want, got, whether a posting mends it
	}{
		"agrees":                 {topUp, outside{order: billing.Order{Status: billing.OrderPaid, Payment: paid}}, ""},
		"cancelled there":        {topUp, outside{order: billing.Order{Status: billing.OrderCancelled, Payment: paid, Cancelled: 1_100}}, "provider 0 1100 true"},
		"a part of it":           {topUp, outside{order: billing.Order{Status: billing.OrderPartly, Payment: paid, Cancelled: 100}}, "provider 1000 1100 true"},
		"by our refund":          {with(func(p *reconcile.Payment) { p.Refunded = 100 }), outside{order: billing.Order{Status: billing.OrderPartly, Payment: paid, Cancelled: 100}}, ""},
		"corrected before":       {with(func(p *reconcile.Payment) { p.Corrected = -100 }), outside{order: billing.Order{Status: billing.OrderPartly, Payment: paid, Cancelled: 100}}, ""},
		"a refund is on its way": {with(func(p *reconcile.Payment) { p.Moving = true }), outside{order: billing.Order{Status: billing.OrderCancelled, Payment: paid, Cancelled: 1_100}}, ""},
		"never paid":             {topUp, outside{order: billing.Order{Status: billing.OrderFailed, Payment: paid}}, "provider 0 1100 true"},
		"on its way there":       {topUp, outside{order: billing.Order{Status: billing.OrderOpen, Payment: paid}}, "provider 0 1100 false"},
		"in review":              {with(func(p *reconcile.Payment) { p.InReview, p.Booked = true, 0 }), outside{order: billing.Order{Status: billing.OrderPaid, Payment: paid}}, "provider 1100 0 false"},
		"given up, and paid":     {declined, outside{order: billing.Order{Status: billing.OrderPaid, Payment: paid}}, "provider 1100 0 true"},
		"given up":               {declined, outside{order: billing.Order{Status: billing.OrderOpen, Payment: paid}}, ""},
		"by transfer":            {banked, outside{account: billing.BankAccount{State: billing.AccountPaid, Total: 1_100}}, ""},
		"not by transfer":        {banked, outside{account: billing.BankAccount{State: billing.AccountClosed, Total: 1_100}}, "provider 0 1100 false"},
		"unknown to the bank":    {banked, outside{err: billing.ErrNoOrder}, "provider 0 1100 false"},
		"transferred back":       {sentBack, outside{sent: billing.Sending{State: billing.SendingDone, Total: 1_100}}, ""},
		"not transferred back":   {sentBack, outside{sent: billing.Sending{State: billing.SendingFailed, Total: 1_100}}, "provider 0 1100 false"},
		"its posting is gone":    {with(func(p *reconcile.Payment) { p.Booked = 0 }), outside{order: billing.Order{Status: billing.OrderPaid, Payment: paid}}, "payments 1100 0 false provider 1100 0 true"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := &shelf{wallets: []string{"w"}, payments: []reconcile.Payment{tt.payment}}
			page, err := service(s, &tt.provider).Compare(t.Context(), reconcile.Order{Window: today, Providers: true}, nil)
			if err != nil || page.Next != nil || page.Wallets != 1 || page.Unasked != 0 {
				t.Fatalf("Compare() = %+v, %v, want one wallet to the end", page, err)
			}
			got := ""
			for _, f := range page.Found {
				if got != "" {
					got += " "
				}
				got += fmt.Sprintf("%s %d %d %t", f.Kind, f.Want, f.Got, f.Correctable)
			}
			if got != tt.want {
				t.Errorf("Compare() found %q, want %q", got, tt.want)
			}
		})
	}
}

// A provider that is away is left alone after three look-ups, and what was not asked is told.
func TestCompare_providerIsAway(t *testing.T) {
	s := &shelf{wallets: []string{"v", "w"}}
	for i := range 9 {
		s.payments = append(s.payments, reconcile.Payment{AttemptID: fmt.Sprint("att_", i), WalletID: "w", Kind: billing.TopUpAttempt,
			Method: billing.ByCard, TID: "T", State: billing.Done, Total: 1_100, Booked: 1_100, ClosedAt: noon})
	}
	s.payments = append(s.payments, reconcile.Payment{AttemptID: "att_lost", WalletID: "v", Kind: billing.ChargeAttempt, State: billing.Done, Total: 10, Booked: 10})
	o := &outside{err: errors.New("connection refused")}
	page, err := service(s, o).Compare(t.Context(), reconcile.Order{Window: today, Providers: true}, nil)
	if err != nil || len(page.Found) != 0 || page.Asked != 0 || page.Unasked != 10 || page.Unlooked != 1 || o.asked != 3 {
		t.Errorf("Compare() = %+v after %d look-ups, %v, want 10 not asked, one of them without an id, after 3", page, o.asked, err)
	}
}

func TestCompare_refused(t *testing.T) {
	tests := map[string]struct {
		order reconcile.Order
		from  *reconcile.Mark
	}{
		"ends before it begins":      {reconcile.Order{Window: reconcile.Window{From: today.To, To: today.From}}, nil},
		"longer than a year":         {reconcile.Order{Window: reconcile.Window{From: today.To.AddDate(-2, 0, 0), To: today.To}}, nil},
		"a cursor of another wallet": {reconcile.Order{Window: today, WalletID: "w"}, &reconcile.Mark{Wallet: "v"}},
		"a cursor of nothing":        {reconcile.Order{Window: today}, &reconcile.Mark{Wallet: "w", Step: 99}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := service(&shelf{wallets: []string{"w"}}, &outside{}).Compare(t.Context(), tt.order, tt.from)
			if fault.KindOf(err) != fault.Invalid {
				t.Errorf("Compare() error = %v, want Invalid", err)
			}
		})
	}
}

// Kakao's count is compared as it is now; one that is not complete is no count.
func TestCompare_recount(t *testing.T) {
	tests := map[string]struct {
		result  kakao.SendResult
		want    wallet.KRW // difference
		unasked int
	}{
		"as before":         {kakao.SendResult{AllRequestCount: 10, SuccessCount: 8, FailCount: 2}, 0, 0},
		"more were reached": {kakao.SendResult{AllRequestCount: 10, SuccessCount: 9, FailCount: 1}, 15, 0},
		"not complete":      {kakao.SendResult{AllRequestCount: 10, SuccessCount: 3}, 0, 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			chunk := reconcile.SentChunk{ID: "brd_1-000001", WalletID: "w", TaskID: "t", People: 10, Price: 15, Captured: 120, SentAt: noon}
			chunk.Tally.Delivered, chunk.Tally.Unknown = 8, 2
			s := &shelf{wallets: []string{"w"}, sent: []reconcile.SentChunk{chunk}}
			page, err := service(s, &outside{result: tt.result}).Compare(t.Context(), reconcile.Order{Window: today, Recount: true}, nil)
			var differs wallet.KRW
			for _, f := range page.Found {
				differs += f.Difference()
			}
			if err != nil || differs != tt.want || page.Unasked != tt.unasked {
				t.Errorf("Compare() = %+v, %v, want a difference of %d, %d not asked", page, err, tt.want, tt.unasked)
			}
		})
	}
}

// A correction asks the provider again; a person decides what is in review.
func TestCorrect(t *testing.T) {
	p := reconcile.Payment{AttemptID: "att_1", WalletID: "w", Kind: billing.TopUpAttempt, Method: billing.ByCard, TID: "T1", State: billing.Done, Booked: 1_100}
	order := billing.Order{Status: billing.OrderPartly, Cancelled: 100, Payment: billing.Payment{Total: 1_100}}
	tests := map[string]struct {
		kind    reconcile.Kind
		change  func(*reconcile.Payment)
		err     error
		refused bool
		want    fault.Kind
		keeps   int
	}{
		"asks again":             {kind: reconcile.Provider, keeps: 1},
		"in review":              {kind: reconcile.Provider, change: func(p *reconcile.Payment) { p.InReview = true }, refused: true, want: fault.Refused},
		"a refund is on its way": {kind: reconcile.Provider, change: func(p *reconcile.Payment) { p.Moving = true }, refused: true, want: fault.Refused},
		"the provider is away":   {kind: reconcile.Provider, err: errors.New("refused"), refused: true, want: fault.Unavailable},
		"a balance":              {kind: reconcile.Balance, refused: true, want: fault.Refused},
		"nothing that is known":  {kind: "colour", refused: true, want: fault.Invalid},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			payment := p
			if tt.change != nil {
				tt.change(&payment)
			}
			s := &shelf{payments: []reconcile.Payment{payment}}
			_, err := service(s, &outside{order: order, err: tt.err}).Correct(t.Context(), reconcile.Correction{WalletID: "w", Kind: tt.kind, Subject: "att_1", Difference: -100})
			if (err != nil) != tt.refused || tt.refused && fault.KindOf(err) != tt.want {
				t.Errorf("Correct() error = %v, want refused: %t, as %v", err, tt.refused, tt.want)
			}
			if len(s.keeps) != tt.keeps || tt.keeps == 1 && s.keeps[0] != 1_000 {
				t.Errorf("the store was told %v, want 1000 %d times", s.keeps, tt.keeps)
			}
		})
	}
}
