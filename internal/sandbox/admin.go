package sandbox

import (
	"net/http"
	"time"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/sandbox/answer"
	"github.com/malgil/malgil/internal/sandbox/bank"
	"github.com/malgil/malgil/internal/sandbox/pay"
	"github.com/malgil/malgil/internal/sandbox/talk"
	"github.com/malgil/malgil/internal/sandbox/tax"
	"github.com/malgil/malgil/internal/sandbox/trouble"
)

// routes adds the addresses of the sandbox as a whole.
func (s *Sandbox) routes() {
	s.mux.HandleFunc("GET /sandbox/truth", s.showTruth)
	s.mux.HandleFunc("GET /sandbox/faults", s.listFaults)
	s.mux.HandleFunc("POST /sandbox/faults", s.addFault)
	s.mux.HandleFunc("DELETE /sandbox/faults", s.clearFaults)
	s.mux.HandleFunc("GET /sandbox/clock", s.showClock)
	s.mux.HandleFunc("PUT /sandbox/clock", s.moveClock)
	s.mux.HandleFunc("/sandbox/", func(w http.ResponseWriter, r *http.Request) {
		answer.Problem(w, fault.New(fault.NotFound, "the sandbox has no %s %s; see docs/api.md", r.Method, r.URL.Path))
	})
}

// Truth is what happened, in sums.
type Truth struct {
	Kakao    talk.Truth     `json:"kakao"`
	KakaoPay pay.Truth      `json:"kakaopay"`
	Bank     bank.Truth     `json:"bank"`
	Tax      tax.Truth      `json:"tax"`
	Mails    int            `json:"mails"`
	Faults   map[string]int `json:"faults"` // hits by target
}

// Truth sums up what happened.
func (s *Sandbox) Truth() Truth {
	truth := Truth{Kakao: s.Kakao.Truth(), KakaoPay: s.Pay.Truth(), Bank: s.Bank.Truth(), Tax: s.Tax.Truth(), Mails: s.Inbox.Count(), Faults: map[string]int{}}
	for _, f := range s.Faults.List() {
		truth.Faults[f.Target] += f.Hits
	}
	return truth
}

func (s *Sandbox) showTruth(w http.ResponseWriter, _ *http.Request) {
	answer.JSON(w, http.StatusOK, s.Truth())
}

func (s *Sandbox) listFaults(w http.ResponseWriter, _ *http.Request) {
	answer.JSON(w, http.StatusOK, map[string]any{"items": s.Faults.List(), "targets": s.Faults.Targets()})
}

// faultOrder is a fault as it is asked for.
type faultOrder struct {
	Target           string       `json:"target"`
	Fault            trouble.Kind `json:"fault"`
	Count            int          `json:"count"`
	Every            int          `json:"every"`
	Seconds          float64      `json:"seconds"`
	Bot              string       `json:"bot"`
	Card             string       `json:"card"`
	To               string       `json:"to"`
	Code             int          `json:"code"`
	MethodResultCode string       `json:"method_result_code"`
}

func (s *Sandbox) addFault(w http.ResponseWriter, r *http.Request) {
	var o faultOrder
	if err := answer.Read(r, &o); err != nil {
		answer.Problem(w, err)
		return
	}
	added, err := s.Faults.Add(trouble.Fault{
		Target: o.Target, Kind: o.Fault, Count: o.Count, Every: o.Every, Seconds: o.Seconds, Bot: o.Bot, Card: o.Card, To: o.To,
		Code: o.Code, MethodResultCode: o.MethodResultCode,
	})
	if err != nil {
		answer.Problem(w, err)
		return
	}
	answer.JSON(w, http.StatusCreated, added)
}

func (s *Sandbox) clearFaults(w http.ResponseWriter, r *http.Request) {
	s.Faults.Clear(r.FormValue("target"))
	w.WriteHeader(http.StatusNoContent)
}

func (s *Sandbox) showClock(w http.ResponseWriter, _ *http.Request) {
	answer.JSON(w, http.StatusOK, map[string]time.Time{"now": s.options.Clock.Now()})
}

// moveClock is PUT /sandbox/clock. It answers when all that falls due up to the new time is done.
func (s *Sandbox) moveClock(w http.ResponseWriter, r *http.Request) {
	var order struct {
		Now     *time.Time `json:"now"`
		Advance string     `json:"advance"` // Go's durations: "90m", "24h"
	}
	err := answer.Read(r, &order)
	var to time.Time
	switch {
	case err != nil:
	case (order.Now == nil) == (order.Advance == ""):
		err = fault.Field("now", "one of now and advance is required")
	case order.Now != nil:
		to = *order.Now
	default:
		by, wrong := time.ParseDuration(order.Advance)
		if wrong != nil {
			err = fault.Field("advance", "advance is a duration such as 90m or 24h")
		} else if by < 0 {
			err = fault.New(fault.Conflict, "the clock does not go back")
		}
		to = s.options.Clock.Now().Add(by)
	}
	if err == nil {
		err = s.options.MoveClock(r.Context(), to)
	}
	if err != nil {
		answer.Problem(w, err)
		return
	}
	s.showClock(w, r)
}
