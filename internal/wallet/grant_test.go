package wallet_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/wallet"
)

func TestWallet_ExpireGrant(t *testing.T) {
	midnight := clock.NextMidnight(noon)
	grant := wallet.Grant{ID: "grt", Remaining: 1000, ExpiresAt: midnight}
	tests := map[string]struct {
		wallet wallet.Wallet
		now    time.Time
		want   wallet.KRW // that vanishes
		ref    string
	}{
		"a millisecond before its end": {wallet.Wallet{Free: 1000}, midnight.Add(-time.Millisecond), 0, ""},
		"at its end":                   {wallet.Wallet{Free: 1000}, midnight, 1000, "grt/0"},
		"three days later":             {wallet.Wallet{Free: 1000}, midnight.AddDate(0, 0, 3), 1000, "grt/0"},
		"partly held":                  {wallet.Wallet{Free: 1000, Held: 300}, midnight, 700, "grt/300"},
		"held to the last won":         {wallet.Wallet{Free: 1000, Held: 1000}, midnight, 0, ""},
		"more is held than is free":    {wallet.Wallet{Free: 1000, Paid: 5000, Held: 4000}, midnight, 0, ""},
		"other free cash is held":      {wallet.Wallet{Free: 6000, Held: 1000}, midnight, 1000, "grt/0"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, p, any := tt.wallet.ExpireGrant(grant, tt.now)
			if any != (tt.want > 0) || got.Free != tt.wallet.Free-tt.want || p.Free != -tt.want || p.Promotion != tt.want || p.Sum() != 0 || p.Ref != tt.ref {
				t.Errorf("ExpireGrant = %d free, %+v, %v; want %d less and ref %q", got.Free, p, any, tt.want, tt.ref)
			}
			if any && (len(p.Grants) != 1 || p.Grants[0] != (wallet.GrantUse{GrantID: "grt", Amount: tt.want})) {
				t.Errorf("ExpireGrant took %v, want %d of grt", p.Grants, tt.want)
			}
		})
	}
}

func TestWallet_GivePaid_paysWhatIsOwedFirst(t *testing.T) {
	yesterday := clock.Midnight(noon).Add(-24 * time.Hour)
	w := wallet.Wallet{PaymentState: wallet.Unpaid, Accrual: 1000, AccrualDay: yesterday}
	got, p := w.GivePaid(1500, "grt", noon)
	if got.Paid != 500 || got.Accrual != 0 || got.PaymentState != wallet.AwaitingReconnect {
		t.Errorf("GivePaid(1500) of 1000 owed = %+v, want 500 paid, nothing owed, AWAITING_RECONNECT", got)
	}
	if p.Kind != wallet.PaidGranted || p.Paid != 500 || p.Accrual != 1000 || p.Promotion != -1500 || p.VAT != 0 || p.Clearing != 0 || p.Sum() != 0 {
		t.Errorf("GivePaid(1500) posts %+v, want it out of promotion, without VAT", p)
	}
}

func TestGift_State(t *testing.T) {
	over := noon.Add(-time.Millisecond)
	tests := map[string]struct {
		gift wallet.Gift
		want wallet.GiftState
		code string // of CheckUse
	}{
		"nobody pressed use": {wallet.Gift{Kind: wallet.FreeCash, Amount: 10, Remaining: 10, ExpiresAt: noon.Add(1)}, wallet.GiftWaiting, ""},
		"over unused":        {wallet.Gift{Kind: wallet.FreeCash, Amount: 10, Remaining: 10, ExpiresAt: noon}, wallet.GiftExpired, "GRANT_EXPIRED"},
		"started":            {wallet.Gift{Kind: wallet.FreeCash, Amount: 10, Remaining: 3, StartedAt: over, ExpiresAt: noon.Add(1)}, wallet.GiftStarted, "GRANT_STARTED"},
		"used up":            {wallet.Gift{Kind: wallet.FreeCash, Amount: 10, StartedAt: over, ExpiresAt: over}, wallet.GiftUsedUp, "GRANT_STARTED"},
		"over, held":         {wallet.Gift{Kind: wallet.FreeCash, Amount: 10, Remaining: 3, StartedAt: over, ExpiresAt: over}, wallet.GiftExpired, "GRANT_EXPIRED"},
		"over, vanished":     {wallet.Gift{Kind: wallet.FreeCash, Amount: 10, Expired: 3, StartedAt: over, ExpiresAt: over}, wallet.GiftExpired, "GRANT_EXPIRED"},
		"paid cash":          {wallet.Gift{Kind: wallet.PaidCash, Amount: 10}, wallet.GiftGiven, "GRANT_COUNTS"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := tt.gift.State(noon); got != tt.want {
				t.Errorf("State() = %s, want %s", got, tt.want)
			}
			if err := tt.gift.CheckUse(noon); fault.CodeOf(err) != tt.code || (err == nil) != (tt.code == "") {
				t.Errorf("CheckUse() = %v, want %q", err, tt.code)
			}
		})
	}
}

// giftStore remembers what it is told to keep.
type giftStore struct {
	given []wallet.Gift
	err   error
}

func (s *giftStore) Give(_ context.Context, g wallet.Gift, _ wallet.Request) (wallet.Gift, bool, error) {
	s.given = append(s.given, g)
	return g, false, s.err
}

func (s *giftStore) StartGift(_ context.Context, walletID, id string, now time.Time, _ wallet.Request) (wallet.Gift, bool, error) {
	return wallet.Gift{ID: id, WalletID: walletID, Amount: 700, StartedAt: now}, false, s.err
}

func newID(prefix string) string { return prefix + "_1" }

func TestGiver_Give(t *testing.T) {
	good := wallet.NewGift{WalletID: "w", Amount: 50_000, ExpiresOn: "2026-11-24", Reason: " 첫 이용 축하 "}
	with := func(change func(*wallet.NewGift)) wallet.NewGift {
		n := good
		change(&n)
		return n
	}
	refused := map[string]struct {
		gift  wallet.NewGift
		field string
	}{
		"nothing":             {with(func(n *wallet.NewGift) { n.Amount = 0 }), "amount_krw"},
		"less than nothing":   {with(func(n *wallet.NewGift) { n.Amount = -1 }), "amount_krw"},
		"too much":            {with(func(n *wallet.NewGift) { n.Amount = 100_000_001 }), "amount_krw"},
		"no reason":           {with(func(n *wallet.NewGift) { n.Reason = "  " }), "reason"},
		"two lines":           {with(func(n *wallet.NewGift) { n.Reason = "a\nb" }), "reason"},
		"yesterday":           {with(func(n *wallet.NewGift) { n.ExpiresOn = "2026-11-23" }), "expires_on"},
		"no day":              {with(func(n *wallet.NewGift) { n.ExpiresOn = "" }), "expires_on"},
		"a day that is none":  {with(func(n *wallet.NewGift) { n.ExpiresOn = "2027-02-29" }), "expires_on"},
		"the next century":    {with(func(n *wallet.NewGift) { n.ExpiresOn = "2126-11-24" }), "expires_on"},
		"paid cash that ends": {with(func(n *wallet.NewGift) { n.Kind = wallet.PaidCash }), "expires_on"},
		"another kind":        {with(func(n *wallet.NewGift) { n.Kind = "gold" }), "kind"},
	}
	for name, tt := range refused {
		t.Run(name, func(t *testing.T) {
			s := &giftStore{}
			_, err := wallet.NewGiver(s, func() time.Time { return noon }, newID).Give(t.Context(), tt.gift, wallet.Request{})
			var f *fault.Error
			if !errors.As(err, &f) || f.Kind != fault.Invalid || f.Field != tt.field || len(s.given) != 0 {
				t.Errorf("Give = %v with %d stored, want Invalid %s", err, len(s.given), tt.field)
			}
		})
	}
	s := &giftStore{}
	giver := wallet.NewGiver(s, func() time.Time { return noon }, newID)
	got, err := giver.Give(t.Context(), good, wallet.Request{})
	if err != nil || got.Kind != wallet.FreeCash || got.Remaining != 50_000 || got.Reason != "첫 이용 축하" || !got.ExpiresAt.Equal(clock.NextMidnight(noon)) {
		t.Errorf("Give = %+v, %v, want free cash to the end of its last day", got, err)
	}
	if _, err := giver.Give(t.Context(), wallet.NewGift{WalletID: "w", Kind: wallet.PaidCash, Amount: 300, Reason: "보상"}, wallet.Request{}); err != nil {
		t.Fatal(err)
	}
	if _, err := giver.Use(t.Context(), "w", "grt_1", wallet.Request{}); err != nil {
		t.Fatal(err)
	}
}
