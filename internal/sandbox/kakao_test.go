package sandbox_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/kakao"
	"github.com/malgil/malgil/internal/sandbox"
)

func TestSend_whoGotWhat(t *testing.T) {
	w := newWorld(t)
	w.must("POST", "/sandbox/people", `{"ids":["gone"],"friend":false}`)
	w.must("POST", "/sandbox/people", `{"ids":["stranger-but-friend"],"friend":true}`)
	receipt, err := w.events.Send(t.Context(), send("a", "b", "gone", "stranger-1", "stranger-but-friend", "unresolvable-1"))
	if err != nil {
		t.Fatalf("Send() = %v, want nil", err)
	}
	result, err := w.events.Result(t.Context(), restKey, receipt.TaskID)
	if err != nil {
		t.Fatalf("Result() = %v, want nil", err)
	}
	if result.Status != "3 FAIL" || result.AllRequestCount != 6 || result.SuccessCount != 3 || result.FailCount != 3 || result.Unresolved != 1 || len(result.Failures) != 2 {
		t.Errorf("Result() = %+v, want 3 of 6 reached, 2 failures named", result)
	}
	if result.Failures[0].UserID != "gone" || result.Failures[0].UserType != "botUserKey" || result.Failures[0].Message == "" {
		t.Errorf("first failure = %+v, want gone with a reason", result.Failures[0])
	}
	if _, err := w.events.Send(t.Context(), send("b")); err != nil {
		t.Fatalf("second Send() = %v, want nil", err)
	}
	truth := w.Truth().Kakao
	if truth.People.Reached != 3 || truth.People.Again != 1 || truth.People.Sample[0] != "b" || truth.Messages != 4 || truth.Sends.Requests != 2 {
		t.Errorf("Truth() = %+v, want 3 people reached, b twice", truth)
	}
	for id, want := range map[string]float64{"a": 1, "b": 2, "gone": 0, "nobody": 0} {
		got := w.items("/sandbox/truth/people?type=botUserKey&bot=" + botID + "&id=" + id)[0].(map[string]any)
		if got["times"] != want {
			t.Errorf("truth of %s = %v, want %v times", id, got, want)
		}
	}
	if got := w.items("/sandbox/truth/people?bot=" + botID); len(got) != 7 {
		t.Errorf("truth lists %d people of send calls, want 7", len(got))
	}
	tasks := w.items("/sandbox/truth/tasks?bot=" + botID + "&wait_seconds=5")
	if len(tasks) != 2 || tasks[0].(map[string]any)["settled"] != true {
		t.Errorf("truth of tasks = %v, want two that are settled", tasks)
	}
}

func TestSend_developmentChannelIsTheSameBot(t *testing.T) {
	w := newWorld(t)
	r := send("a")
	r.Development = true
	for range 2 {
		if _, err := w.events.Send(t.Context(), r); err != nil {
			t.Fatalf("Send() = %v, want nil", err)
		}
		r.Development = false
	}
	if got := w.Truth().Kakao.People.Again; got != 1 {
		t.Errorf("%d people got it on both channels, want 1", got)
	}
	if got := w.items("/sandbox/truth/tasks")[0].(map[string]any)["bot"]; got != botID+"!" {
		t.Errorf("the first task went to %v, want the development channel", got)
	}
}

func TestSend_refusals(t *testing.T) {
	w := newWorld(t)
	w.must("PUT", "/sandbox/bots/"+botID, `{"rest_api_key":"`+restKey+`","events":["hello"]}`)
	stranger := send("a")
	stranger.RestKey = "another"
	unknown := send("a")
	unknown.Event.Name = "bye"
	badType := send("a")
	badType.Users[0].Type = "appUserKey"
	tests := map[string]struct {
		err  error
		code string
	}{
		"another key":        {w.trySend(stranger), "config"},
		"an unknown event":   {w.trySend(unknown), "rejected"},
		"an unknown id type": {w.trySend(badType), "rejected"},
		"nobody":             {w.trySend(send()), "rejected"},
		"101 people":         {w.trySend(send(many(101)...)), "rejected"},
		"the same one twice": {w.trySend(send("a", "b", "a")), "rejected"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) { kindOf(t, tt.err, fault.Refused, tt.code) })
	}
	if err := w.trySend(send(many(100)...)); err != nil {
		t.Errorf("Send(100 people) = %v, want nil", err)
	}
	if got := w.Truth().Kakao.People.Reached; got != 100 {
		t.Errorf("%d people reached, want the 100 of the only call that was taken", got)
	}
	response, err := http.Post(w.URL()+"/v2/bots/"+botID+"/talk", "application/json", strings.NewReader(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusUnauthorized {
		t.Errorf("a send without key = %d, want 401", response.StatusCode)
	}
}

func TestSend_refusesMisspeltFields(t *testing.T) {
	w := newWorld(t)
	request, _ := http.NewRequestWithContext(t.Context(), "POST", w.URL()+"/v2/bots/"+botID+"/talk",
		strings.NewReader(`{"event":{"name":"hello"},"users":[{"type":"botUserKey","id":"a"}]}`))
	request.Header.Set("Authorization", "KakaoAK "+restKey)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	if response.StatusCode != http.StatusBadRequest || !strings.Contains(string(body), "users") {
		t.Errorf("a misspelt field = %d %s, want 400 that names it", response.StatusCode, body)
	}
}

// Rooms have an address of their own, which takes no people, as that of people takes no rooms.
func TestSend_rooms(t *testing.T) {
	w := newWorld(t)
	rooms := func(ids ...string) kakao.SendRequest {
		r := send()
		for _, id := range ids {
			r.Rooms = append(r.Rooms, kakao.EventRoom{Type: "botGroupKey", ID: id})
		}
		return r
	}
	receipt, err := w.events.Send(t.Context(), rooms("g1", "stranger-g2"))
	if err != nil {
		t.Fatalf("Send() to rooms = %v, want nil", err)
	}
	result, err := w.events.Result(t.Context(), restKey, receipt.TaskID)
	if err != nil || result.SuccessCount != 1 || len(result.Failures) != 1 || result.Failures[0].UserID != "stranger-g2" || result.Failures[0].UserType != "botGroupKey" {
		t.Errorf("Result() = %+v, %v, want one room reached and the other named", result, err)
	}
	if got := w.items("/sandbox/truth/people?type=botGroupKey&bot=" + botID + "&id=g1")[0].(map[string]any); got["times"] != 1.0 {
		t.Errorf("truth of g1 = %v, want once", got)
	}
	person := rooms("a")
	person.Rooms[0].Type = "botUserKey"
	room := send("g1")
	room.Users[0].Type = "botGroupKey"
	for name, r := range map[string]kakao.SendRequest{
		"a person as a room": person, "a room as a person": room, "the same room twice": rooms("g1", "g1"), "101 rooms": rooms(many(101)...),
	} {
		kindOf(t, w.trySend(r), fault.Refused, "rejected")
		if t.Failed() {
			t.Fatal(name)
		}
	}
}

func (w *world) trySend(r kakao.SendRequest) error {
	_, err := w.events.Send(w.t.Context(), r)
	return err
}

func many(n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("person-%03d", i)
	}
	return ids
}

func TestSend_faults(t *testing.T) {
	tests := map[string]struct {
		fault   string
		want    fault.Kind
		code    string
		reached int // in truth, whatever the client heard
	}{
		"refused":                    {`"refuse"`, fault.Refused, "rejected", 0},
		"the key is not accepted":    {`"unauthorized"`, fault.Refused, "config", 0},
		"Kakao's balance is empty":   {`"no_balance"`, fault.Refused, "provider", 0},
		"too fast":                   {`"throttle","seconds":3`, fault.Throttled, "", 0},
		"an error before it acted":   {`"error_before"`, fault.InDoubt, "", 0},
		"an error after it acted":    {`"error_after"`, fault.InDoubt, "", 1},
		"cut before it acted":        {`"cut_before"`, fault.InDoubt, "", 0},
		"cut after it acted":         {`"cut_after"`, fault.InDoubt, "", 1},
		"stalled before it acted":    {`"stall_before"`, fault.InDoubt, "", 0},
		"stalled after it acted":     {`"stall"`, fault.InDoubt, "", 1},
		"garbage":                    {`"garbage"`, fault.InDoubt, "", 1},
		"200 with FAIL":              {`"fail_status"`, fault.Refused, "rejected", 0},
		"200 with ERROR":             {`"error_status"`, fault.InDoubt, "", 1},
		"for another bot":            {`"refuse","bot":"another"`, fault.Internal, "", 1},
		"a second late, which is in": {`"slow","seconds":0.01`, fault.Internal, "", 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.must("POST", "/sandbox/faults", `{"target":"kakao.send","fault":`+tt.fault+`}`)
			client := w.events
			if strings.Contains(tt.fault, "stall") {
				client, _ = w.impatient(100 * time.Millisecond)
			}
			_, err := client.Send(t.Context(), send("a"))
			if tt.want == fault.Internal {
				if err != nil {
					t.Errorf("Send() = %v, want nil", err)
				}
			} else {
				kindOf(t, err, tt.want, tt.code)
			}
			if tt.want == fault.Throttled && fault.RetryAfter(err) != 3*time.Second {
				t.Errorf("Send() says to wait %v, want 3s", fault.RetryAfter(err))
			}
			if got := w.Truth().Kakao.People.Reached; got != tt.reached {
				t.Errorf("%d people reached, want %d", got, tt.reached)
			}
			before := w.Truth().Kakao.Messages
			if _, err := w.events.Send(t.Context(), send("b")); err != nil {
				t.Errorf("Send() after the fault = %v, want nil", err)
			}
			if got := w.Truth().Kakao.Messages; got != before+1 {
				t.Errorf("%d messages, want %d", got, before+1)
			}
		})
	}
}

func TestFaults_countEveryAndDelete(t *testing.T) {
	w := newWorld(t)
	w.must("POST", "/sandbox/faults", `{"target":"kakao.send","fault":"refuse","count":-1,"every":2}`)
	var got string
	for range 6 {
		if w.trySend(send("a")) == nil {
			got += "."
		} else {
			got += "x"
		}
	}
	if want := ".x.x.x"; got != want {
		t.Errorf("every second call: %s, want %s", got, want)
	}
	items := w.items("/sandbox/faults")
	if len(items) != 1 || items[0].(map[string]any)["hits"] != 3.0 {
		t.Errorf("faults = %v, want one with 3 hits", items)
	}
	w.must("DELETE", "/sandbox/faults?target=kakaopay.ready", "")
	if got := len(w.items("/sandbox/faults")); got != 1 {
		t.Errorf("deleting those of another target left %d, want 1", got)
	}
	w.must("DELETE", "/sandbox/faults", "")
	if err := w.trySend(send("a")); err != nil || len(w.items("/sandbox/faults")) != 0 {
		t.Errorf("Send() after deleting faults = %v, want nil", err)
	}
}

func TestSend_peakOfConcurrentCalls(t *testing.T) {
	w := newWorld(t)
	w.must("POST", "/sandbox/faults", `{"target":"kakao.send","fault":"slow","count":5,"seconds":0.3}`)
	var calls sync.WaitGroup
	for i := range 5 {
		calls.Go(func() {
			if _, err := w.events.Send(t.Context(), send(fmt.Sprint("p", i))); err != nil {
				t.Errorf("Send() = %v, want nil", err)
			}
		})
	}
	calls.Wait()
	if got := w.Truth().Kakao.Sends; got.Peak != 5 || got.InFlight != 0 {
		t.Errorf("sends = %+v, want a peak of 5 and none left", got)
	}
}

func TestResult(t *testing.T) {
	w := newWorld(t, func(o *sandbox.Options) { o.ResultDelay = time.Minute })
	receipt, err := w.events.Send(t.Context(), send("a"))
	if err != nil {
		t.Fatalf("Send() = %v, want nil", err)
	}
	early, err := w.events.Result(t.Context(), restKey, receipt.TaskID)
	if err != nil || early.AllRequestCount != 1 || early.SuccessCount+early.FailCount != 0 {
		t.Errorf("Result() at once = %+v, %v, want no counts yet", early, err)
	}
	w.must("PUT", "/sandbox/clock", `{"advance":"61s"}`)
	late, err := w.events.Result(t.Context(), restKey, receipt.TaskID)
	if err != nil || late.Status != "ALL SUCCESS" || late.SuccessCount != 1 {
		t.Errorf("Result() a minute later = %+v, %v, want all reached", late, err)
	}
	w.must("PUT", "/sandbox/results", `{"delay_seconds":3600}`)
	if again, err := w.events.Result(t.Context(), restKey, receipt.TaskID); err != nil || again.SuccessCount != 0 {
		t.Errorf("Result() with an hour's delay = %+v, %v, want no counts", again, err)
	}
	_, err = w.events.Result(t.Context(), restKey, "00000000-0000-4000-8000-000000000000")
	kindOf(t, err, fault.NotFound, "")
	w.must("PUT", "/sandbox/bots/"+botID, `{"rest_api_key":"another"}`)
	_, err = w.events.Result(t.Context(), restKey, receipt.TaskID)
	kindOf(t, err, fault.Refused, "config")
	for kind, want := range map[string]fault.Kind{
		"error_before": fault.Unavailable, "cut_after": fault.Unavailable, "garbage": fault.Unavailable, "throttle": fault.Throttled,
	} {
		w.must("PUT", "/sandbox/bots/"+botID, `{}`)
		w.must("POST", "/sandbox/faults", `{"target":"kakao.result","fault":"`+kind+`","count":-1}`)
		_, err = w.events.Result(t.Context(), restKey, receipt.TaskID)
		kindOf(t, err, want, "")
		w.must("DELETE", "/sandbox/faults", "")
	}
}

// A block with a skill is asked once for each person, and what it answers decides.
func TestSend_callsTheSkill(t *testing.T) {
	var mu sync.Mutex
	bodies := map[string]string{}
	busy, peak := 0, 0
	skill := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		busy++
		peak = max(peak, busy)
		mu.Unlock()
		defer func() {
			mu.Lock()
			busy--
			mu.Unlock()
		}()
		for _, id := range []string{"a", "b", "broken", "odd"} {
			if strings.Contains(string(body), `"id":"`+id+`"`) {
				mu.Lock()
				bodies[id] = string(body)
				mu.Unlock()
				switch id {
				case "broken":
					w.WriteHeader(500)
				case "odd":
					_, _ = io.WriteString(w, `{"version":"1.0"}`)
					return
				}
			}
		}
		_, _ = io.WriteString(w, `{"version":"2.0","template":{"outputs":[{"simpleText":{"text":"안녕"}}]}}`)
	}))
	t.Cleanup(skill.Close)
	w := newWorld(t)
	w.must("PUT", "/sandbox/bots/"+botID, `{"skill_url":"`+skill.URL+`","skill_concurrency":2,"block":{"id":"blk","name":"재입고 알림"}}`)
	r := send("a", "b", "broken", "odd", "stranger-1")
	r.Users[0].Properties = map[string]string{"grade": "gold"}
	r.Params = map[string]any{"malgil_chunk": "brd_1-000001"}
	receipt, err := w.events.Send(t.Context(), r)
	if err != nil {
		t.Fatalf("Send() = %v, want nil", err)
	}
	w.items("/sandbox/truth/tasks?wait_seconds=10")
	result, err := w.events.Result(t.Context(), restKey, receipt.TaskID)
	if err != nil || result.SuccessCount != 2 || result.FailCount != 3 {
		t.Fatalf("Result() = %+v, %v, want 2 reached and 3 not", result, err)
	}
	skillErrors := 0
	for _, f := range result.Failures {
		if f.ErrorType == 201 {
			skillErrors++
		}
	}
	if skillErrors != 2 || w.Truth().Kakao.People.Reached != 2 {
		t.Errorf("%d failures are of type 201 and %d people reached, want 2 and 2", skillErrors, w.Truth().Kakao.People.Reached)
	}
	mu.Lock()
	defer mu.Unlock()
	for _, want := range []string{`"malgil_chunk":"brd_1-000001"`, `"grade":"gold"`, `"isFriend":true`, `"name":"재입고 알림"`, `"botUserKey":"a"`} {
		if !strings.Contains(bodies["a"], want) {
			t.Errorf("the skill call of a lacks %s: %s", want, bodies["a"])
		}
	}
	if strings.Contains(bodies["a"], "callbackUrl") {
		t.Error("a skill call of a broadcast has a callbackUrl")
	}
	if peak > 2 {
		t.Errorf("the skill was asked %d at a time, want at most 2", peak)
	}
}
