package talk

import (
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"time"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/sandbox/answer"
	"github.com/malgil/malgil/internal/sandbox/trouble"
)

// callbackLife is how long a callback URL is valid.
const callbackLife = time.Minute

// Kakao's words, exactly.
const (
	msgTesting  = "Invalid callback token for testing purposes."
	msgToken    = "Invalid callback token. Check your callback token."
	msgNotAsked = "The skill server settings are incorrect. Use callback true setting required."
	msgBot      = "Invalid bot ID. Check your Bot ID."
	msgBody     = "Invalid json response from bot-skill."
)

// callback is a URL that was issued for one utterance.
type callback struct {
	token, channel string
	at             time.Time
	test           bool
	asked          bool // the first answer carried useCallback true
	used           bool
	received       []receivedCallback
}

type receivedCallback struct {
	At      time.Time       `json:"at"`
	Status  string          `json:"status"` // SUCCESS, FAIL or ERROR
	Message string          `json:"message,omitempty"`
	Body    json.RawMessage `json:"body,omitempty"` // when it was JSON
}

func (k *Kakao) newCallback(channel string, test, asked bool) *callback {
	c := &callback{token: rand.Text(), channel: channel, at: k.options.Clock.Now(), test: test, asked: asked}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.callbacks[c.token] = c
	k.issued = append(k.issued, c)
	return c
}

func (k *Kakao) callbackURL(r *http.Request, c *callback) string {
	base := k.options.PublicURL
	if base == "" {
		base = "http://" + r.Host
	}
	return base + "/v1/bots/" + c.channel + "/callback/" + c.token
}

// receiveCallback is POST /v1/bots/{bot}/callback/{token}. Kakao does not say with which HTTP
// status it refuses one; it is 200 here and the body tells.
func (k *Kakao) receiveCallback(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxAnswer))
	if err != nil {
		return // the client has left
	}
	hit := k.options.Faults.Take("kakao.callback", trouble.Subject{Bot: plainBot(r.PathValue("bot"))})
	hit.Before(r)
	if refusedByFault(w, hit) {
		return
	}
	status, message := k.judgeCallback(r.PathValue("bot"), r.PathValue("token"), body)
	k.callbackBell.Ring()
	if hit.After(w, r) {
		return
	}
	k.sendAnswer(w, newUUID(), status, message)
}

// judgeCallback takes a callback in and says how it went, in Kakao's words.
func (k *Kakao) judgeCallback(channel, token string, body []byte) (status, message string) {
	now := k.options.Clock.Now()
	k.mu.Lock()
	defer k.mu.Unlock()
	c := k.callbacks[token]
	if c == nil {
		return "FAIL", msgToken
	}
	status = "FAIL"
	switch useCallback, problem := judge(body); {
	case c.test:
		message = msgTesting
	case c.channel != channel:
		message = msgBot
	case c.used || now.Sub(c.at) > callbackLife:
		message = msgToken
	case !c.asked:
		message = msgNotAsked
	case problem != "" || useCallback:
		message = msgBody
		c.used = true // one use, also of a body that is not shown
	default:
		status = "SUCCESS"
		c.used = true
	}
	got := receivedCallback{At: now, Status: status, Message: message}
	if json.Valid(body) {
		got.Body = body
	}
	c.received = append(c.received, got)
	return status, message
}

// issueCallback is POST /sandbox/callbacks.
func (k *Kakao) issueCallback(w http.ResponseWriter, r *http.Request) {
	order := struct {
		Bot         string `json:"bot"`
		UseCallback bool   `json:"use_callback"`
		Test        bool   `json:"test"`
	}{UseCallback: true}
	err := answer.Read(r, &order)
	if err == nil && order.Bot == "" {
		err = fault.Field("bot", "bot is required")
	}
	if err != nil {
		answer.Problem(w, err)
		return
	}
	c := k.newCallback(order.Bot, order.Test, order.UseCallback)
	answer.JSON(w, http.StatusCreated, map[string]string{"token": c.token, "url": k.callbackURL(r, c)})
}

type callbackTruth struct {
	Token       string             `json:"token"`
	Bot         string             `json:"bot"`
	IssuedAt    time.Time          `json:"issued_at"`
	UseCallback bool               `json:"use_callback"` // the first answer asked for it
	Shown       bool               `json:"shown"`
	Received    []receivedCallback `json:"received"`
}

// truthOf reads a callback; the caller holds the lock.
func truthOf(c *callback) callbackTruth {
	truth := callbackTruth{
		Token: c.token, Bot: c.channel, IssuedAt: c.at, UseCallback: c.asked,
		Received: append([]receivedCallback{}, c.received...),
	}
	for _, got := range c.received {
		truth.Shown = truth.Shown || got.Status == "SUCCESS"
	}
	return truth
}

// showCallback is GET /sandbox/truth/callbacks/{token}; with ?wait_seconds= it waits for the
// first one to arrive.
func (k *Kakao) showCallback(w http.ResponseWriter, r *http.Request) {
	wait, err := answer.ReadWait(r)
	if err != nil {
		answer.Problem(w, err)
		return
	}
	var truth callbackTruth
	known := false
	k.callbackBell.Until(r.Context(), wait, func() bool {
		k.mu.Lock()
		defer k.mu.Unlock()
		c := k.callbacks[r.PathValue("token")]
		if known = c != nil; !known {
			return true
		}
		truth = truthOf(c)
		return len(truth.Received) > 0
	})
	if !known {
		answer.Problem(w, fault.New(fault.NotFound, "no callback was issued with this token"))
		return
	}
	answer.JSON(w, http.StatusOK, truth)
}

// listCallbacks is GET /sandbox/truth/callbacks, in the order they were issued.
func (k *Kakao) listCallbacks(w http.ResponseWriter, r *http.Request) {
	page, err := answer.ReadPage(r)
	if err != nil {
		answer.Problem(w, err)
		return
	}
	var found []callbackTruth
	next := 0
	k.mu.Lock()
	for i := page.From; i < len(k.issued) && next == 0; i++ {
		if len(found) == page.Limit {
			next = i
		} else {
			found = append(found, truthOf(k.issued[i]))
		}
	}
	k.mu.Unlock()
	answer.Items(w, found, next)
}
