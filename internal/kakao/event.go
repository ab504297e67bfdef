package kakao

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/malgil/malgil/internal/fault"
)

// EventTimeout is how long the Event API may take to answer.
const EventTimeout = 15 * time.Second

// SendRequest is one send call of the Event API (이벤트 API): an event for 1 to 100 people, or for 1 to
// 100 group rooms.
type SendRequest struct {
	BotID       string // without the development mark
	Development bool   // to the development channel (개발채널)
	RestKey     string // REST API key of the app linked to the bot's channel; never logged

	Event  Event
	Users  []EventUser
	Rooms  []EventRoom    // in place of users
	Params map[string]any // becomes userRequest.params of the skill calls that the event causes
	Option map[string]any // special switches that Kakao does not document
}

// Event names the event that is set on a block. Data reaches the block as
// {{#current.event.data.key}}.
type Event struct {
	Name string            `json:"name"`
	Data map[string]string `json:"data,omitempty"`
}

// EventUser is one receiver. Type is "botUserKey", "plusfriendUserKey" or "appUserId"; properties
// are merged into user.properties of the skill call.
type EventUser struct {
	Type       string            `json:"type"`
	ID         string            `json:"id"`
	Properties map[string]string `json:"properties,omitempty"`
}

// EventRoom is a group room (그룹 채팅방) that a group chatbot is in. Type is "botGroupKey".
type EventRoom struct {
	Type string `json:"type"`
	ID   string `json:"id"`
}

// SendReceipt is an accepted send call. Accepted is not delivered: TaskID is for the result.
type SendReceipt struct {
	TaskID string
	Raw    []byte // Kakao's answer
}

// Codes of the Refused errors of [EventClient.Send].
const (
	CodeRejected = "rejected" // this request will never be taken
	CodeConfig   = "config"   // the bot's key is not accepted
	CodeProvider = "provider" // Kakao's own balance is empty
)

// EventClient calls the Event API. It is safe for concurrent use.
type EventClient struct{ peer *Peer }

// NewEventClient returns a client of the Event API at an address such as
// "https://bot-api.kakao.com". A timeout of 0 is [EventTimeout].
func NewEventClient(address string, timeout time.Duration) (*EventClient, error) {
	if timeout == 0 {
		timeout = EventTimeout
	}
	peer, err := NewPeer(address, timeout)
	if err != nil {
		return nil, err
	}
	return &EventClient{peer: peer}, nil
}

// Watch has each request told of. It is called before the first.
func (c *EventClient) Watch(asked Asked) { c.peer.Watch(asked) }

// Close closes idle connections.
func (c *EventClient) Close() { c.peer.Close() }

// Send posts one send call, once. Its errors are of these kinds:
//
//   - Refused: nothing was sent. Code [CodeRejected] for status 400 and 404 and for 200 with
//     FAIL; [CodeConfig] for 401 and 403; [CodeProvider] for any of them when Kakao's message
//     speaks of "balance" or "잔액".
//   - Throttled: status 429; nothing was sent.
//   - Unavailable: not a byte of the request was written.
//   - InDoubt: everything else. Some or all may have been sent, and calling again may send twice.
//
// Kakao publishes no table of status codes; which of them mean "not accepted", and the words that
// tell of an empty balance, are assumptions.
func (c *EventClient) Send(ctx context.Context, r SendRequest) (SendReceipt, error) {
	if r.BotID == "" || !usableKey(r.RestKey) {
		return SendReceipt{}, fault.Coded(fault.Refused, CodeConfig, "the bot has no usable Kakao bot id or REST API key; set them")
	}
	body, err := r.body()
	if err != nil {
		return SendReceipt{}, fault.Wrap(fault.Invalid, err, "the message cannot be written as JSON")
	}
	answer, err := c.peer.Do(ctx, http.MethodPost, r.path(), r.header(), body)
	if err != nil {
		return SendReceipt{}, unanswered(err)
	}
	said := readSendAnswer(answer.Body)
	switch answer.Status {
	case http.StatusOK:
		switch {
		case said.Status == "SUCCESS" && said.TaskID != "":
			return SendReceipt{TaskID: said.TaskID, Raw: answer.Body}, nil
		case said.Status == "FAIL":
			return SendReceipt{}, refusal(CodeRejected, "Kakao refused the request", r.quote(said.Message))
		}
	case http.StatusBadRequest, http.StatusNotFound:
		return SendReceipt{}, refusal(CodeRejected, "Kakao refused the request", r.quote(said.Message))
	case http.StatusUnauthorized, http.StatusForbidden:
		return SendReceipt{}, refusal(CodeConfig, "Kakao does not accept the bot's REST API key", r.quote(said.Message))
	case http.StatusTooManyRequests:
		return SendReceipt{}, &fault.Error{Kind: fault.Throttled, Message: "Kakao asks to send more slowly", RetryAfter: retryAfter(answer.Header)}
	}
	return SendReceipt{}, fault.New(fault.InDoubt, "Kakao's answer (status %d) does not tell whether the messages went out", answer.Status)
}

// Written returns where [EventClient.Send] posts the call and what it says, without the key.
func (r SendRequest) Written() (path string, body []byte, err error) {
	body, err = r.body()
	return r.path(), body, err
}

// path returns where the call goes: rooms have an address of their own.
func (r SendRequest) path() string {
	if len(r.Rooms) > 0 {
		return "/v2/bots/" + r.channel() + "/group"
	}
	return "/v2/bots/" + r.channel() + "/talk"
}

// channel returns the bot id with the development mark as a literal "!": whether Kakao takes %21
// is not known.
func (r SendRequest) channel() string {
	id := url.PathEscape(strings.TrimSuffix(r.BotID, developmentMark))
	if r.Development {
		return id + developmentMark
	}
	return id
}

func (r SendRequest) header() http.Header {
	header := authorization(r.RestKey)
	header.Set("Content-Type", "application/json")
	return header
}

func (r SendRequest) body() ([]byte, error) {
	return compact(struct {
		Event  Event          `json:"event"`
		User   []EventUser    `json:"user,omitempty"`
		Chat   []EventRoom    `json:"chat,omitempty"`
		Params map[string]any `json:"params,omitempty"`
		Option map[string]any `json:"option,omitempty"`
	}{r.Event, r.Users, r.Rooms, r.Params, r.Option})
}

const quoteRunes = 200

// quote cuts Kakao's message to what an operator needs and takes keys and people out of it.
func (r SendRequest) quote(message string) string {
	if message == "" {
		return ""
	}
	message = strings.ReplaceAll(message, r.RestKey, "***")
	for _, user := range r.Users {
		if user.ID != "" {
			message = strings.ReplaceAll(message, user.ID, "***")
		}
	}
	for _, room := range r.Rooms {
		if room.ID != "" {
			message = strings.ReplaceAll(message, room.ID, "***")
		}
	}
	if utf8.RuneCountInString(message) > quoteRunes {
		message = string([]rune(message)[:quoteRunes]) + "…"
	}
	return message
}

func authorization(restKey string) http.Header {
	return http.Header{"Authorization": {"KakaoAK " + restKey}, "Accept": {"application/json"}}
}

func usableKey(key string) bool {
	return key != "" && !strings.ContainsFunc(key, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) })
}

type sendAnswer struct{ TaskID, Status, Message string }

// readSendAnswer reads what it can; errors have been seen with "msg" for "message".
func readSendAnswer(body []byte) sendAnswer {
	o := asObject(json.RawMessage(strings.TrimSpace(string(body))))
	said := sendAnswer{TaskID: o.text("taskId"), Status: o.text("status"), Message: o.text("message")}
	if said.Message == "" {
		said.Message = o.text("msg")
	}
	return said
}

// balance finds talk of money in a refusal, and no load balancer.
var balance = regexp.MustCompile(`(?i)\bbalance\b|잔액`)

func refusal(code, message, said string) error {
	if balance.MatchString(said) {
		code, message = CodeProvider, "Kakao's own balance for this bot is empty"
	}
	if said != "" {
		message += ": " + said
	}
	return fault.Coded(fault.Refused, code, "%s", message)
}

// unanswered gives a [*NoAnswer] its kind.
func unanswered(err error) error {
	var none *NoAnswer
	if errors.As(err, &none) && !none.Sent {
		return fault.Wrap(fault.Unavailable, err, "Kakao could not be reached")
	}
	return fault.Wrap(fault.InDoubt, err, "Kakao did not answer; the messages may have gone out")
}

// retryAfter reads the header as seconds or as a date next to the answer's own, at most an hour.
func retryAfter(header http.Header) time.Duration {
	value := header.Get("Retry-After")
	wait := time.Duration(0)
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		wait = time.Duration(seconds) * time.Second
	} else if until, err := http.ParseTime(value); err == nil {
		if now, err := http.ParseTime(header.Get("Date")); err == nil {
			wait = until.Sub(now)
		}
	}
	return min(max(wait, 0), time.Hour)
}
