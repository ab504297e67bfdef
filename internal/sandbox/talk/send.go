package talk

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"unicode"

	"github.com/malgil/malgil/internal/sandbox/answer"
	"github.com/malgil/malgil/internal/sandbox/trouble"
)

// maxPeople is how many receivers one call takes, people or rooms.
const maxPeople = 100

const maxSendBody = 1 << 20

// sendRequest is the body of a send call. Whatever else is in a body is refused, so that a
// misspelt field cannot pass unseen.
type sendRequest struct {
	Event struct {
		Name string            `json:"name"`
		Data map[string]string `json:"data"`
	} `json:"event"`
	User   []person        `json:"user"`
	Params map[string]any  `json:"params"`
	Option json.RawMessage `json:"option"`
}

// groupRequest is the body of a send call to group rooms.
type groupRequest struct {
	Event  json.RawMessage `json:"event"`
	Chat   []room          `json:"chat"`
	Params json.RawMessage `json:"params"`
	Option json.RawMessage `json:"option"`
}

type room struct {
	Type string `json:"type"`
	ID   string `json:"id"`
}

type person struct {
	Type       string            `json:"type"`
	ID         string            `json:"id"`
	Properties map[string]string `json:"properties"`
}

const roomType = "botGroupKey"

var (
	personTypes = []string{"botUserKey", "plusfriendUserKey", "appUserId"}
	idTypes     = append(slices.Clone(personTypes), roomType)
)

// call is one of the two addresses that take messages.
type call struct {
	list  string // the field that names the receivers
	types []string
	read  func(body []byte) (sendRequest, error)
}

var (
	talkCall  = call{"user", personTypes, readTalk}
	groupCall = call{"chat", []string{roomType}, readGroup}
)

func readTalk(body []byte) (r sendRequest, err error) {
	err = answer.Decode(body, &r)
	return r, err
}

func readGroup(body []byte) (r sendRequest, err error) {
	var group groupRequest
	if err := answer.Decode(body, &group); err != nil {
		return r, err
	}
	for _, c := range group.Chat {
		r.User = append(r.User, person{Type: c.Type, ID: c.ID})
	}
	if err := answer.Decode(group.Event, &r.Event); err != nil {
		return r, err
	}
	return r, answer.Decode(group.Params, &r.Params)
}

// traffic is what the send address saw.
type traffic struct {
	Requests int `json:"requests"` // send calls, refused ones too
	Accepted int `json:"accepted"`
	InFlight int `json:"in_flight"`
	Peak     int `json:"peak_in_flight"` // most send calls at a time
}

// send returns POST /v2/bots/{bot}/talk or …/group.
func (k *Kakao) send(c call) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { k.receive(c, w, r) }
}

func (k *Kakao) receive(c call, w http.ResponseWriter, r *http.Request) {
	k.mu.Lock()
	k.traffic.Requests++
	k.traffic.InFlight++
	k.traffic.Peak = max(k.traffic.Peak, k.traffic.InFlight)
	k.mu.Unlock()
	defer func() {
		k.mu.Lock()
		k.traffic.InFlight--
		k.mu.Unlock()
	}()
	body, err := io.ReadAll(io.LimitReader(r.Body, maxSendBody+1))
	if err != nil {
		return // the client has left
	}
	channel := r.PathValue("bot")
	hit := k.options.Faults.Take("kakao.send", trouble.Subject{Bot: plainBot(channel)})
	hit.Before(r)
	if refusedByFault(w, hit) {
		return
	}
	if hit.Kind == FailStatus {
		k.sendAnswer(w, newUUID(), "FAIL", "the event was not accepted")
		return
	}
	var request sendRequest
	if len(body) > maxSendBody {
		err = fmt.Errorf("the body is longer than %d bytes", maxSendBody)
	} else {
		request, err = c.read(body)
	}
	if status, why := k.admit(c, channel, r.Header.Get("Authorization"), request, err); why != "" {
		kakaoError(w, status, why)
		return
	}
	accepted := k.accept(channel, request)
	if hit.After(w, r) {
		return
	}
	if hit.Kind == ErrorStatus {
		k.sendAnswer(w, accepted.id, "ERROR", "internal")
		return
	}
	k.sendAnswer(w, accepted.id, "SUCCESS", "")
}

// admit says with which status and why a call is refused; an empty reason admits it.
func (k *Kakao) admit(c call, channel, authorization string, r sendRequest, decodeErr error) (int, string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	settings := k.settings(channel)
	switch {
	case !authorized(settings, authorization):
		return http.StatusUnauthorized, "the REST API key is not accepted"
	case decodeErr != nil:
		return http.StatusBadRequest, decodeErr.Error()
	case r.Event.Name == "":
		return http.StatusBadRequest, "event.name is required"
	case len(settings.Events) > 0 && !slices.Contains(settings.Events, r.Event.Name):
		return http.StatusBadRequest, "no block has this event name"
	case len(r.User) < 1 || len(r.User) > maxPeople:
		return http.StatusBadRequest, fmt.Sprintf("%s has %d entries, 1 to %d are taken", c.list, len(r.User), maxPeople)
	}
	seen := make(map[string]bool, len(r.User))
	for i, p := range r.User {
		key := p.Type + " " + p.ID
		switch {
		case !slices.Contains(c.types, p.Type):
			return http.StatusBadRequest, fmt.Sprintf("%s[%d].type is not known", c.list, i)
		case p.ID == "" || strings.ContainsFunc(p.ID, unicode.IsControl):
			return http.StatusBadRequest, fmt.Sprintf("%s[%d].id is not an id", c.list, i)
		case seen[key]:
			return http.StatusBadRequest, fmt.Sprintf("%s[%d] is in this call twice", c.list, i)
		}
		seen[key] = true
	}
	return 0, ""
}

func authorized(b *bot, header string) bool {
	key, ok := strings.CutPrefix(header, "KakaoAK ")
	return ok && key != "" && (b.RestKey == "" || key == b.RestKey)
}

// refusedByFault plays the faults that refuse a call in Kakao's words.
func refusedByFault(w http.ResponseWriter, hit trouble.Fault) bool {
	switch hit.Kind {
	case trouble.Refuse:
		kakaoError(w, http.StatusBadRequest, "bad request")
	case trouble.Unauthorized:
		kakaoError(w, http.StatusUnauthorized, "the REST API key is not accepted")
	case NoBalance:
		kakaoError(w, http.StatusForbidden, "월렛 잔액이 부족합니다. (insufficient balance)")
	case trouble.Throttle:
		w.Header().Set("Retry-After", hit.RetryAfter())
		kakaoError(w, http.StatusTooManyRequests, "too many requests")
	case trouble.ErrorBefore:
		kakaoError(w, http.StatusInternalServerError, "internal server error")
	default:
		return false
	}
	return true
}

func kakaoError(w http.ResponseWriter, status int, message string) {
	answer.JSON(w, status, map[string]any{"code": -status, "message": message})
}

func (k *Kakao) sendAnswer(w http.ResponseWriter, taskID, status, message string) {
	answer.JSON(w, http.StatusOK, struct {
		TaskID    string `json:"taskId"`
		Status    string `json:"status"`
		Message   string `json:"message,omitempty"`
		Timestamp int64  `json:"timestamp"` // milliseconds
	}{taskID, status, message, k.options.Clock.Now().UnixMilli()})
}
