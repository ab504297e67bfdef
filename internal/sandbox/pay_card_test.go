package sandbox_test

import (
	"strings"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/kakaopay"
)

func TestPay_personalities(t *testing.T) {
	tests := map[string]struct {
		card      string // JSON for PUT
		class     kakaopay.Class
		code      int
		wantPaid  int64
		available bool
		status    string
	}{
		"declined":                   {`{"personality":"declined"}`, kakaopay.Declined, -782, 0, true, "ACTIVE"},
		"declined, the issuer locks": {`{"personality":"declined","method_result_code":"USER_LOCKED"}`, kakaopay.Lookup, -782, 0, true, "ACTIVE"},
		"dead":                       {`{"personality":"dead"}`, kakaopay.Dead, -751, 0, false, "INACTIVE"},
		"dormant":                    {`{"dormant":true}`, kakaopay.Declined, -782, 0, false, "ACTIVE"},
		"paid, and nobody knows":     {`{"personality":"unknown_paid"}`, kakaopay.Unknown, -500, 1100, true, "ACTIVE"},
		"not paid, and nobody knows": {`{"personality":"unknown_unpaid"}`, kakaopay.Unknown, -500, 0, true, "ACTIVE"},
		"another amount":             {`{"personality":"wrong_amount"}`, "", 0, 1110, true, "ACTIVE"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			sid := w.register("mine")
			w.must("PUT", "/sandbox/cards/mine", tt.card)
			status, err := w.pay.SIDStatus(t.Context(), kakaopay.SIDRequest{CID: recurring, SID: sid})
			if err != nil || status.Available != tt.available || status.Status != tt.status {
				t.Errorf("SIDStatus() = %+v, %v, want available %t, %s", status, err, tt.available, tt.status)
			}
			w.must("PUT", "/sandbox/clock", `{"advance":"1h"}`)
			paid, err := w.pay.Subscription(t.Context(), chargeOf(sid, "att-1", 1100))
			if tt.class == "" {
				if err != nil || paid.Amount.Total != tt.wantPaid {
					t.Errorf("Subscription() = %+v, %v, want %d", paid.Amount, err, tt.wantPaid)
				}
			} else {
				classIs(t, "Subscription()", err, tt.class, tt.code)
			}
			if got := w.Truth().KakaoPay.PaidKRW; got != tt.wantPaid {
				t.Errorf("%d KRW moved, want %d", got, tt.wantPaid)
			}
			after, err := w.pay.SIDStatus(t.Context(), kakaopay.SIDRequest{CID: recurring, SID: sid})
			if moved := after.LastApprovedAt.After(status.LastApprovedAt.Time); err != nil || moved != (tt.wantPaid > 0) {
				t.Errorf("last approval went from %v to %v, %v; want that only when money moved", status.LastApprovedAt, after.LastApprovedAt, err)
			}
		})
	}
}

func TestPay_dormantAndRevived(t *testing.T) {
	w := newWorld(t)
	sid := w.register("hanbit")
	w.must("POST", "/sandbox/cards/hanbit/dormant", "")
	status, err := w.pay.SIDStatus(t.Context(), kakaopay.SIDRequest{CID: recurring, SID: sid})
	if err != nil || !status.Dormant() {
		t.Errorf("SIDStatus() = %+v, %v, want it dormant", status, err)
	}
	_, err = w.pay.Subscription(t.Context(), chargeOf(sid, "att-1", 1100))
	classIs(t, "Subscription(dormant)", err, kakaopay.Declined, -782)
	w.must("POST", "/sandbox/cards/hanbit/revive", "")
	if _, err := w.pay.Subscription(t.Context(), chargeOf(sid, "att-2", 1100)); err != nil {
		t.Errorf("Subscription(revived) = %v, want nil", err)
	}
	if got := w.items("/sandbox/cards")[0].(map[string]any); got["payments"] != 1.0 || got["dormant"] != false {
		t.Errorf("truth of the card = %v, want one payment and no longer dormant", got)
	}
}

func TestPay_faults(t *testing.T) {
	tests := map[string]struct {
		fault string
		want  kakaopay.Class
		code  int
		paid  int64
	}{
		"refused":                 {`"refuse"`, kakaopay.Permanent, -726, 0},
		"the key is not accepted": {`"unauthorized"`, kakaopay.Config, -401, 0},
		"the quota is used up":    {`"throttle"`, kakaopay.Config, -429, 0},
		"declined":                {`"decline"`, kakaopay.Declined, -782, 0},
		"declined with a code":    {`"decline","code":-797`, kakaopay.Declined, -797, 0},
		"declined, locked":        {`"decline","method_result_code":"USER_LOCKED"`, kakaopay.Lookup, -782, 0},
		"an error before":         {`"error_before"`, kakaopay.Unknown, -500, 0},
		"an error after":          {`"error_after"`, kakaopay.Unknown, 0, 1100},
		"cut before":              {`"cut_before"`, kakaopay.Unknown, 0, 0},
		"cut after":               {`"cut_after"`, kakaopay.Unknown, 0, 1100},
		"stalled before":          {`"stall_before"`, kakaopay.Unknown, 0, 0},
		"stalled after":           {`"stall"`, kakaopay.Unknown, 0, 1100},
		"garbage":                 {`"garbage"`, kakaopay.Unknown, 0, 1100},
		"the wrong amount":        {`"wrong_amount"`, "", 0, 1110},
		"for another card":        {`"decline","card":"norae"`, "", 0, 1100},
		"for this card":           {`"decline","card":"hanbit"`, kakaopay.Declined, -782, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			sid := w.register("hanbit")
			w.must("POST", "/sandbox/faults", `{"target":"kakaopay.subscription","fault":`+tt.fault+`}`)
			client := w.pay
			if strings.Contains(tt.fault, "stall") {
				_, client = w.impatient(100 * time.Millisecond)
			}
			_, err := client.Subscription(t.Context(), chargeOf(sid, "att-1", 1100))
			if tt.want == "" {
				if err != nil {
					t.Errorf("Subscription() = %v, want nil", err)
				}
			} else {
				classIs(t, "Subscription()", err, tt.want, tt.code)
			}
			if got := w.Truth().KakaoPay.PaidKRW; got != tt.paid {
				t.Errorf("%d KRW moved, want %d", got, tt.paid)
			}
		})
	}
}

// Every call can be made to fail, and its fault hits no other call.
func TestPay_faultOfEachCall(t *testing.T) {
	w := newWorld(t)
	sid := w.register("hanbit")
	payment, err := w.pay.Approve(t.Context(), w.authorize(once, "top", "hanbit", 1000))
	if err != nil {
		t.Fatal(err)
	}
	approve := w.authorize(once, "later", "hanbit", 1000)
	calls := map[string]func() error{
		"ready":   func() error { _, err := w.pay.Ready(t.Context(), readyFor(once, "o", 1000)); return err },
		"approve": func() error { _, err := w.pay.Approve(t.Context(), approve); return err },
		"order": func() error {
			_, err := w.pay.Order(t.Context(), kakaopay.OrderRequest{CID: once, TID: payment.TID})
			return err
		},
		"cancel": func() error {
			_, err := w.pay.Cancel(t.Context(), kakaopay.CancelRequest{CID: once, TID: payment.TID, CancelAmount: 100})
			return err
		},
		"sid_status": func() error {
			_, err := w.pay.SIDStatus(t.Context(), kakaopay.SIDRequest{CID: recurring, SID: sid})
			return err
		},
		"sid_inactive": func() error {
			_, err := w.pay.SIDInactive(t.Context(), kakaopay.SIDRequest{CID: recurring, SID: sid})
			return err
		},
	}
	for name, do := range calls {
		w.must("POST", "/sandbox/faults", `{"target":"kakaopay.`+name+`","fault":"error_before"}`)
		classIs(t, name, do(), kakaopay.Unknown, -500)
		if err := do(); err != nil {
			t.Errorf("%s after its fault = %v, want nil", name, err)
		}
	}
	if got := w.Truth().Faults; len(got) != len(calls) {
		t.Errorf("faults hit %v, want each of %d calls once", got, len(calls))
	}
	if got := w.Truth().KakaoPay.Requests["order"]; got != 2 {
		t.Errorf("%d order calls, want 2", got)
	}
}
