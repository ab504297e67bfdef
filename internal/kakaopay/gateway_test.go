package kakaopay

import (
	"errors"
	"testing"

	"github.com/malgil/malgil/internal/billing"
)

func TestClassed(t *testing.T) {
	tests := map[string]struct {
		err     error
		class   billing.Class
		code    string
		message string
	}{
		"declined, in the issuer's words": {&Error{Class: Declined, Code: -782, Message: "subscription payment failure!", MethodResultCode: "8326", MethodResultMessage: "한도초과"},
			billing.CardDeclined, "-782 8326", "한도초과"},
		"over the monthly uses": {&Error{Class: Declined, Code: -752, Message: "over"}, billing.CardDeclined, "-752", "over"},
		"no such sid":           {&Error{Class: Dead, Code: -750}, billing.CardGone, "-750", ""},
		"wrong secret":          {&Error{Class: Config, Code: -401}, billing.BadConfig, "-401", ""},
		"daily quota":           {&Error{Class: Config, Code: -429}, billing.QuotaUsedUp, "-429", ""},
		"wrong token":           {&Error{Class: Permanent, Code: -708}, billing.BadRequest, "-708", ""},
		"already paid":          {&Error{Class: Lookup, Code: -702}, billing.MayHaveMoved, "-702", ""},
		"internal":              {&Error{Class: Unknown, Code: -500}, billing.MayHaveMoved, "-500", ""},
		"no answer":             {&Error{Class: Unknown, Err: errors.New("reset")}, billing.MayHaveMoved, "", ""},
		"not sent":              {&Error{Class: NotSent, Err: errors.New("refused")}, billing.NotSent, "", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var got *billing.GatewayError
			if !errors.As(classed(tt.err), &got) {
				t.Fatalf("classed(%v) is no GatewayError", tt.err)
			}
			if got.Class != tt.class || got.Code != tt.code || got.Message != tt.message {
				t.Errorf("classed(%v) = %d %q %q, want %d %q %q", tt.err, got.Class, got.Code, got.Message, tt.class, tt.code, tt.message)
			}
			if !errors.Is(got, tt.err) {
				t.Errorf("classed(%v) lost its cause", tt.err)
			}
		})
	}
	if err := classed(nil); err != nil {
		t.Errorf("classed(nil) = %v, want nil", err)
	}
}

func TestOrderStatus(t *testing.T) {
	tests := map[string]billing.OrderStatus{
		"READY": billing.OrderOpen, "SEND_TMS": billing.OrderOpen, "OPEN_PAYMENT": billing.OrderOpen,
		"SELECT_METHOD": billing.OrderOpen, "ARS_WAITING": billing.OrderOpen, "AUTH_PASSWORD": billing.OrderOpen,
		"SUCCESS_PAYMENT": billing.OrderPaid, "PART_CANCEL_PAYMENT": billing.OrderPartly, "CANCEL_PAYMENT": billing.OrderCancelled,
		"FAIL_AUTH_PASSWORD": billing.OrderFailed, "QUIT_PAYMENT": billing.OrderFailed, "FAIL_PAYMENT": billing.OrderFailed,
		"SOMETHING_NEW": billing.OrderOpen,
	}
	for status, want := range tests {
		if got := orderStatus(status); got != want {
			t.Errorf("orderStatus(%s) = %s, want %s", status, got, want)
		}
	}
}
