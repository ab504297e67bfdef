package intake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/fault"
)

// Kakao's own addresses of the Event API (이벤트 API), so that code written for it changes its base
// URL and its key. Their words are Kakao's: a task is what Malgil calls a broadcast of one chunk.
const (
	talkRoute  = "POST /v2/bots/{bot}/talk"
	groupRoute = "POST /v2/bots/{bot}/group"
	taskRoute  = "GET /v1/tasks/{task}"

	developmentMark = "!" // ends the bot id of a development channel
)

type talkBody struct {
	Event  eventView      `json:"event"`
	User   []talkUser     `json:"user" minItems:"1" maxItems:"100" nullable:"false"`
	Params map[string]any `json:"params,omitempty" doc:"Becomes userRequest.params of the block's skill; malgil_chunk is reserved"`
	Option map[string]any `json:"option,omitempty" doc:"Passed on as it is"`
}

type talkUser struct {
	Type       string            `json:"type" enum:"botUserKey,plusfriendUserKey,appUserId"`
	ID         string            `json:"id"`
	Properties map[string]string `json:"properties,omitempty"`
}

type groupBody struct {
	Event  eventView      `json:"event"`
	Chat   []groupRoom    `json:"chat" minItems:"1" maxItems:"100" nullable:"false"`
	Params map[string]any `json:"params,omitempty" doc:"Becomes userRequest.params of the block's skill; malgil_chunk is reserved"`
	Option map[string]any `json:"option,omitempty" doc:"Passed on as it is"`
}

type groupRoom struct {
	Type string `json:"type" enum:"botGroupKey"`
	ID   string `json:"id"`
}

// eventCall is one call of either address.
type eventCall struct {
	message broadcast.Message
	people  []broadcast.Recipient
}

func (b talkBody) call() eventCall {
	c := eventCall{message: broadcast.Message{Event: b.Event.Name, Data: b.Event.Data, Params: b.Params, Option: b.Option}}
	for _, u := range b.User {
		c.people = append(c.people, broadcast.Recipient{Type: u.Type, ID: u.ID, Properties: u.Properties})
	}
	return c
}

func (b groupBody) call() eventCall {
	c := eventCall{message: broadcast.Message{Event: b.Event.Name, Data: b.Event.Data, Params: b.Params, Option: b.Option}}
	for _, r := range b.Chat {
		c.people = append(c.people, broadcast.Recipient{Type: r.Type, ID: r.ID})
	}
	return c
}

// sentView is Kakao's answer to a call, also to one that is refused.
type sentView struct {
	TaskID    string `json:"taskId,omitempty" doc:"For the look-up"`
	Status    string `json:"status" enum:"SUCCESS,FAIL" doc:"SUCCESS means taken, not delivered"`
	Message   string `json:"message,omitempty" doc:"Why it was refused, and what to do"`
	Timestamp int64  `json:"timestamp" doc:"Milliseconds"`
}

// addEventAPI registers and describes Kakao's own addresses, which huma does not serve: they refuse
// in Kakao's shape.
func (s *Server) addEventAPI() {
	const group = "Kakao's own addresses"
	api := s.api.OpenAPI()
	api.Components.SecuritySchemes["kakao"] = &huma.SecurityScheme{
		Type: "apiKey", In: "header", Name: "Authorization", Description: "KakaoAK and a token with the scope send.",
	}
	text := &huma.Schema{Type: huma.TypeString}
	content := func(t reflect.Type) map[string]*huma.MediaType {
		return map[string]*huma.MediaType{"application/json": {Schema: api.Components.Schemas.Schema(t, true, "")}}
	}
	describe := func(route string, op huma.Operation, answer reflect.Type) {
		g := routes[route]
		op.Method, op.Path, _ = strings.Cut(route, " ")
		op.Summary += " (scope " + string(g.scope) + "); permission " + string(g.right)
		op.Tags, op.Security = []string{group}, []map[string][]string{{"kakao": {}}}
		op.Responses = map[string]*huma.Response{
			"200":     {Description: "In Kakao's shape", Content: content(answer)},
			"default": {Description: "Refused; nothing was done", Content: content(reflect.TypeFor[sentView]())},
		}
		api.AddOperation(&op)
	}
	send := []*huma.Param{
		{Name: "bot", In: "path", Required: true, Schema: text, Description: "Kakao's bot id; with ! at its end the development channel"},
		{Name: "Idempotency-Key", In: "header", Schema: text, Description: "Not Kakao's: your name for this call, with which repeating it is safe"},
	}
	s.HandleFunc(talkRoute, orderEvent[talkBody](s, talkRoute))
	describe(talkRoute, huma.Operation{OperationID: "event-talk", Summary: "Fire an event for 1 to 100 people at once", Parameters: send,
		RequestBody: &huma.RequestBody{Required: true, Content: content(reflect.TypeFor[talkBody]())}}, reflect.TypeFor[sentView]())
	s.HandleFunc(groupRoute, orderEvent[groupBody](s, groupRoute))
	describe(groupRoute, huma.Operation{OperationID: "event-group", Summary: "Fire an event for 1 to 100 group rooms at once", Parameters: send,
		RequestBody: &huma.RequestBody{Required: true, Content: content(reflect.TypeFor[groupBody]())}}, reflect.TypeFor[sentView]())
	s.HandleFunc(taskRoute, s.eventTask)
	describe(taskRoute, huma.Operation{OperationID: "event-task", Summary: "Look up what became of a call",
		Parameters: []*huma.Param{{Name: "task", In: "path", Required: true, Schema: text}}}, reflect.TypeFor[taskView]())
}

// orderEvent is a route that takes a call with a body of type B.
func orderEvent[B interface{ call() eventCall }](s *Server, route string) http.HandlerFunc {
	schema := s.api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[B](), true, "")
	return func(w http.ResponseWriter, r *http.Request) {
		var in B
		text, err := s.kakaoBody(w, r, schema, &in)
		var b broadcast.Broadcast
		if err == nil {
			b, err = s.sendAtOnce(r.Context(), r.PathValue("bot"), route, r.Header.Get("Idempotency-Key"), text, in.call())
		}
		if err != nil {
			s.logMistake(r.Context(), route, err)
			s.refuseAsKakao(route)(w, problemOf(err))
			return
		}
		writeJSON(w, http.StatusOK, sentView{TaskID: b.ID.Receipt(), Status: "SUCCESS", Timestamp: b.CreatedAt.UnixMilli()})
	}
}

// sendAtOnce orders a call for a channel, {bot} or {bot}!.
func (s *Server) sendAtOnce(ctx context.Context, channel, route, key string, text []byte, c eventCall) (broadcast.Broadcast, error) {
	botID, development := strings.CutSuffix(channel, developmentMark)
	order := broadcast.Order{BotID: botID, Side: broadcast.Live, Message: c.message, By: actorOf(ctx)}
	if development {
		order.Side = broadcast.Development
	}
	var request broadcast.Request
	if key != "" { // Kakao knows none
		var err error
		if request, err = (Keyed{key}).request(ctx, route+" "+channel, text); err != nil {
			return broadcast.Broadcast{}, err
		}
	}
	return s.services.Broadcasts.SendAtOnce(ctx, order, c.people, request)
}

// kakaoBody reads and checks the body of a call, and returns its text.
func (s *Server) kakaoBody(w http.ResponseWriter, r *http.Request, schema *huma.Schema, into any) ([]byte, error) {
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return nil, problem(http.StatusUnsupportedMediaType, "send the call as Content-Type: application/json")
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, problem(http.StatusRequestEntityTooLarge, "a call is at most 256 KiB")
	case err != nil:
		return nil, problem(http.StatusBadRequest, "the call broke off; send it again")
	}
	var value any
	if err := unmarshal(text, &value); err != nil {
		return nil, newHumaError(http.StatusBadRequest, "", &huma.ErrorDetail{Location: "body", Message: err.Error()})
	}
	path, found := huma.NewPathBuffer(nil, 0), &huma.ValidateResult{}
	path.Push("body")
	if huma.Validate(s.api.OpenAPI().Components.Schemas, schema, path, huma.ModeWriteToServer, value, found); len(found.Errors) > 0 {
		return nil, newHumaError(http.StatusUnprocessableEntity, "", found.Errors...)
	}
	if err := unmarshal(text, into); err != nil {
		return nil, newHumaError(http.StatusUnprocessableEntity, "", &huma.ErrorDetail{Location: "body", Message: err.Error()})
	}
	return text, nil
}

// refuseAsKakao returns how a route of Kakao's says no. Which status Kakao itself gives is not public;
// these are the ones of the domain's best knowledge: 400 for a call that will never be taken, 401 and
// 403 for what a person has to set right first, 404 for what is not there.
func (s *Server) refuseAsKakao(route string) func(http.ResponseWriter, *Problem) {
	list := map[string]string{talkRoute: "user", groupRoute: "chat"}[route]
	return func(w http.ResponseWriter, p *Problem) {
		status, message := p.Status, p.Detail
		switch {
		case p.Code == keyReused:
		case p.Status == http.StatusUnprocessableEntity && p.Code == statusCodes[p.Status], p.Status == http.StatusBadRequest:
			status, message = http.StatusBadRequest, inKakaosWords(p, list)
		case p.Status == http.StatusUnprocessableEntity, p.Status == http.StatusConflict:
			status = http.StatusForbidden // the wallet, or what Kakao asks of senders
		case p.Status == http.StatusNotFound && route == taskRoute:
			message = noTask
		case message == "":
			message = http.StatusText(status) + "; try again later"
		}
		for name, values := range p.GetHeaders() {
			w.Header()[name] = values
		}
		if status == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", kakaoScheme+` realm="malgil"`)
		}
		writeJSON(w, status, sentView{Status: "FAIL", Message: message, Timestamp: s.config.Now().UnixMilli()})
	}
}

// maxFaults is how many faults of a body one refusal names.
const maxFaults = 5

// inKakaosWords says what is wrong with a call. list is what Kakao calls its recipients.
func inKakaosWords(p *Problem, list string) string {
	var faults []string
	for _, f := range p.Errors {
		field := strings.TrimPrefix(f.Location, "body.")
		if entry, is := strings.CutPrefix(field, "recipients"); is {
			field = list + entry
		}
		faults = append(faults, field+" "+f.Message)
	}
	switch more := len(faults) - maxFaults; {
	case len(faults) == 0:
		return p.Detail
	case more > 0:
		return fmt.Sprintf("%s; and %d more", strings.Join(faults[:maxFaults], "; "), more)
	}
	return strings.Join(faults, "; ")
}

const noTask = "there is no such task; look it up with a token of the bot that sent it"

var errNoTask = fault.New(fault.NotFound, noTask)
