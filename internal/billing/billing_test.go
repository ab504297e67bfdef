package billing

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/notice"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, clock.Seoul)

func TestApart(t *testing.T) {
	tests := map[string]struct {
		approved time.Time
		want     bool
	}{
		"never approved":         {time.Time{}, true},
		"two seconds before":     {noon.Add(-2 * time.Second), true},
		"a second before":        {noon.Add(-time.Second), false},
		"in the same second":     {noon, false},
		"by a clock that is off": {noon.Add(time.Hour), false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := apart(noon.Add(999*time.Millisecond), tt.approved); got != tt.want {
				t.Errorf("apart(12:00:00.999, %v) = %v, want %v", tt.approved, got, tt.want)
			}
		})
	}
}

func TestSettle(t *testing.T) {
	tests := map[string]struct {
		approved, paid time.Time
		want           time.Duration
	}{
		"a new card":                      {want: 0},
		"approved long ago":               {approved: noon.Add(-time.Hour), want: 0},
		"approved now":                    {approved: noon, want: 2 * time.Second},
		"approved a second ago":           {approved: noon.Add(-time.Second), want: time.Second},
		"paid now, its clock is behind":   {approved: noon.Add(-5 * time.Second), paid: noon, want: 2 * time.Second},
		"its clock is ahead":              {approved: noon.Add(5 * time.Second), want: 7 * time.Second},
		"its clock is far ahead, no wait": {approved: noon.Add(time.Hour), want: 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := settle(noon.Add(500*time.Millisecond), tt.approved, tt.paid); got != tt.want {
				t.Errorf("settle(12:00:00.5, %v, %v) = %v, want %v", tt.approved, tt.paid, got, tt.want)
			}
		})
	}
}

func TestBackoff(t *testing.T) {
	for tries, want := range map[int]time.Duration{0: 5 * time.Second, 1: 10 * time.Second, 5: 160 * time.Second, 10: time.Hour, 1000: time.Hour} {
		if got := backoff(tries); got != want {
			t.Errorf("backoff(%d) = %v, want %v", tries, got, want)
		}
	}
}

func TestMismatch(t *testing.T) {
	a := Attempt{ID: "att_1", PayerID: "acc_1", Total: 1650}
	good := Payment{TID: "T1", OrderID: "att_1", PayerID: "acc_1", Total: 1650}
	tests := map[string]struct {
		attempt Attempt
		payment Payment
		match   bool
	}{
		"as asked":               {a, good, true},
		"nothing at all":         {a, Payment{}, false},
		"no tid":                 {a, Payment{OrderID: "att_1", PayerID: "acc_1", Total: 1650}, false},
		"another order":          {a, Payment{TID: "T1", OrderID: "att_2", PayerID: "acc_1", Total: 1650}, false},
		"another payer":          {a, Payment{TID: "T1", OrderID: "att_1", PayerID: "acc_2", Total: 1650}, false},
		"a won more":             {a, Payment{TID: "T1", OrderID: "att_1", PayerID: "acc_1", Total: 1651}, false},
		"another tid than begun": {Attempt{ID: "att_1", PayerID: "acc_1", Total: 1650, TID: "T2"}, good, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := mismatch(tt.attempt, tt.payment); (got == "") != tt.match {
				t.Errorf("mismatch(%+v, %+v) = %q, want none: %v", tt.attempt, tt.payment, got, tt.match)
			}
		})
	}
}

func TestHaltFor(t *testing.T) {
	e := &GatewayError{Code: "-401", Message: "no"}
	if got := haltFor(BadConfig, e, noon).Until; !got.Equal(noon.Add(10 * time.Minute)) {
		t.Errorf("haltFor(BadConfig) until %v, want ten minutes later", got)
	}
	if got := haltFor(QuotaUsedUp, e, noon).Until; !got.Equal(noon.Add(12 * time.Hour)) {
		t.Errorf("haltFor(QuotaUsedUp) until %v, want midnight in Korea", got)
	}
}

func TestMask(t *testing.T) {
	for bin, want := range map[string]string{"540912": "5409-12**", "54091234": "5409-12**", "5409": "", "": ""} {
		if got := mask(bin); got != want {
			t.Errorf("mask(%q) = %q, want %q", bin, got, want)
		}
	}
}

func TestCardStatus_State(t *testing.T) {
	tests := []struct {
		status CardStatus
		want   CardState
	}{
		{CardStatus{Active: true, Available: true}, CardUsable},
		{CardStatus{Active: true}, CardDormant},
		{CardStatus{}, CardDead},
		{CardStatus{Available: true}, CardDead},
	}
	for _, tt := range tests {
		if got := tt.status.State(); got != tt.want {
			t.Errorf("%+v.State() = %s, want %s", tt.status, got, tt.want)
		}
	}
}

func TestCardTries(t *testing.T) {
	got := CardTries([]Try{
		{Slot: 1, Masked: "5409-12**", Issuer: "신한카드", State: Declined, Reason: ReasonDormant, Message: "x"},
		{Slot: 2, State: Declined, Reason: ReasonDetached},
		{Slot: 2, State: Declined, Reason: ReasonDead},
		{Slot: 2, State: Declined, Reason: ReasonDeclined, Message: "한도초과"},
		{Slot: 3, State: Declined, Reason: ReasonLost},
		{Slot: 3, State: Declined, Reason: ReasonLimit},
		{Slot: 3, State: Done},
	})
	want := []notice.CardTry{
		{Slot: 1, Number: "5409-12**", Issuer: "신한카드", Outcome: notice.CardDormant},
		{Slot: 2, Outcome: notice.CardDead},
		{Slot: 2, Outcome: notice.CardDeclined, Reason: "한도초과"},
		{Slot: 3, Outcome: notice.CardDeclined, Reason: "결제 요청이 처리되지 않았습니다"},
		{Slot: 3, Outcome: notice.CardDeclined, Reason: "최근 거절이 많아 시도하지 않았습니다"},
		{Slot: 3, Outcome: notice.CardPaid},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("CardTries() differs (-want +got):\n%s", diff)
	}
}

func TestAsGateway(t *testing.T) {
	declined := &GatewayError{Class: CardDeclined}
	if got := asGateway(fmt.Errorf("charge: %w", declined)); got != declined {
		t.Errorf("asGateway(wrapped) = %v, want the gateway's error", got)
	}
	if got := asGateway(errors.New("?")); got.Class != MayHaveMoved {
		t.Errorf("asGateway(unknown).Class = %d, want MayHaveMoved", got.Class)
	}
}
