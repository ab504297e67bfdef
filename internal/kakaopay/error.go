package kakaopay

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Class says what an error means for the money. The rules are the gateway's error table.
type Class string

const (
	// Declined: this card did not pay, another may (CARD_DECLINED).
	Declined Class = "declined"
	// Dead: the card key is unknown or inactive for good (CARD_DEAD).
	Dead Class = "dead"
	// Config: our own set-up is wrong or our quota is used up. Nothing moved, and it is the same
	// for every card.
	Config Class = "config"
	// Permanent: this request is wrong and will stay so. Nothing moved.
	Permanent Class = "permanent"
	// Lookup: the payment is in a state that has to be looked up before anything else is done.
	Lookup Class = "lookup"
	// Unknown: money may have moved.
	Unknown Class = "unknown"
	// NotSent: not a byte of the request left this machine.
	NotSent Class = "not_sent"
)

// Error is a call that did not succeed. Its text holds no key, sid or token.
type Error struct {
	Call                string // ready, approve, subscription, order, cancel, sid_status, sid_inactive
	Class               Class
	Status              int // HTTP, 0 when there was no answer
	Code                int // error_code, such as -782; 0 when the answer has none
	Message             string
	MethodResultCode    string // of the card issuer
	MethodResultMessage string
	Err                 error // why there was no answer, or no usable one
}

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "KakaoPay %s: %s", e.Call, e.Class)
	if e.Code != 0 {
		fmt.Fprintf(&b, " (%d %s)", e.Code, e.Message)
	} else if e.Status != 0 {
		fmt.Fprintf(&b, " (status %d)", e.Status)
	}
	if e.MethodResultCode != "" || e.MethodResultMessage != "" {
		fmt.Fprintf(&b, ", issuer says %s %s", e.MethodResultCode, e.MethodResultMessage)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }

// QuotaUsedUp reports that the day's calls are used up; they come back at 00:00 KST.
func (e *Error) QuotaUsedUp() bool { return e.Code == -429 }

// classes are those of error-code sheet v1.7; a code that is not here is Unknown.
var classes = map[int]Class{
	-400: Config, -401: Config, -403: Config, -404: Config, // header, secret key, app, URL
	-429: Config,                 // the day's quota
	-500: Unknown, -503: Unknown, // internal, maintenance
	-701: Permanent,                                   // not authenticated by the payer
	-702: Lookup,                                      // already paid
	-703: Permanent, -704: Permanent, -705: Permanent, // points, amount, method
	-706: Permanent, -707: Permanent, -708: Permanent, // order id, user id, pg_token
	-710: Permanent, -711: Permanent, // cancel amounts
	-721: Permanent, -722: Permanent, -723: Permanent, // tid unknown, amounts, expired
	-724: Permanent, -725: Permanent, -726: Permanent, // amounts, order
	-730: Config, -731: Config, -732: Config, -733: Config, // app, CID, GID, CID secret
	-750: Dead, -751: Dead, // sid unknown, inactive
	-752: Declined,                               // used too often this month
	-753: Config,                                 // partner_user_id is not the sid's
	-761: Permanent,                              // phone number
	-780: Declined, -781: Lookup, -782: Declined, // approve, cancel, recurring charge failed
	-783: Lookup, -784: Lookup, -785: Lookup, // state, state, duplicate
	-797: Declined, // over the limit of one payment
	-798: Config,   // IP address
}

// unclear are issuer codes with which a failed payment may yet have been made.
var unclear = map[string]bool{"USER_LOCKED": true, "BANK_FIRM_UNKNOWN": true}

func classOf(code int, methodResultCode string) Class {
	class, ok := classes[code]
	switch {
	case !ok:
		return Unknown
	case (code == -780 || code == -782) && unclear[methodResultCode]:
		return Lookup
	}
	return class
}

type errorAnswer struct {
	Code    int    `json:"error_code"`
	Message string `json:"error_message"`
	Extras  struct {
		MethodResultCode    string `json:"method_result_code"`
		MethodResultMessage string `json:"method_result_message"`
	} `json:"extras"`
}

// readError reads an answer that has an error code. Fields of another type than promised are left
// out: the code is what counts.
func readError(body []byte) (errorAnswer, bool) {
	var a errorAnswer
	err := json.Unmarshal(body, &a)
	var mistyped *json.UnmarshalTypeError
	return a, (err == nil || errors.As(err, &mistyped)) && a.Code != 0
}

func (a errorAnswer) toError(call string, status int, hidden secrets) *Error {
	return &Error{
		Call: call, Class: classOf(a.Code, a.Extras.MethodResultCode), Status: status, Code: a.Code,
		Message: hidden.hide(a.Message), MethodResultCode: hidden.hide(a.Extras.MethodResultCode),
		MethodResultMessage: hidden.hide(a.Extras.MethodResultMessage),
	}
}

// secrets are texts that KakaoPay might quote in a message and that nobody may read.
type secrets []string

const messageBytes = 300

func (s secrets) hide(text string) string {
	for _, secret := range s {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "***")
		}
	}
	if len(text) > messageBytes {
		text = strings.ToValidUTF8(text[:messageBytes], "") + "…"
	}
	return text
}
