package sandbox_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/sandbox/talk"
)

const shown = `{"version":"2.0","template":{"outputs":[{"simpleText":{"text":"도착했어요"}}]}}`

// post sends a callback and returns what Kakao says.
func post(t *testing.T, url, body string) (status, message string) {
	t.Helper()
	response, err := http.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatalf("POST %s = %v", url, err)
	}
	defer response.Body.Close()
	var told struct{ TaskID, Status, Message string }
	if err := json.NewDecoder(response.Body).Decode(&told); err != nil || response.StatusCode != http.StatusOK || told.TaskID == "" {
		t.Fatalf("POST %s = %d, %+v, %v, want Kakao's answer", url, response.StatusCode, told, err)
	}
	return told.Status, told.Message
}

func TestCallback_words(t *testing.T) {
	const (
		badToken = "Invalid callback token. Check your callback token."
		badBody  = "Invalid json response from bot-skill."
	)
	tests := map[string]struct {
		order string // of the callback
		play  func(t *testing.T, w *world, url string) string
		body  string

		status, message string
		wantShown       bool
	}{
		"shown":                      {order: `{"bot":"b1"}`, body: shown, status: "SUCCESS", wantShown: true},
		"on the development channel": {order: `{"bot":"b1!"}`, body: shown, status: "SUCCESS", wantShown: true},
		"from a test surface":        {order: `{"bot":"b1","test":true}`, body: shown, status: "FAIL", message: "Invalid callback token for testing purposes."},
		"not asked for": {order: `{"bot":"b1","use_callback":false}`, body: shown, status: "FAIL",
			message: "The skill server settings are incorrect. Use callback true setting required."},
		"of another bot": {order: `{"bot":"b1"}`, body: shown, status: "FAIL", message: "Invalid bot ID. Check your Bot ID.",
			play: func(_ *testing.T, _ *world, url string) string { return strings.Replace(url, "/b1/", "/b2/", 1) }},
		"unknown": {order: `{"bot":"b1"}`, body: shown, status: "FAIL", message: badToken,
			play: func(_ *testing.T, _ *world, url string) string { return url + "x" }},
		"used before": {order: `{"bot":"b1"}`, body: shown, status: "FAIL", message: badToken, wantShown: true,
			play: func(t *testing.T, _ *world, url string) string { post(t, url, shown); return url }},
		"after a minute": {order: `{"bot":"b1"}`, body: shown, status: "FAIL", message: badToken,
			play: func(_ *testing.T, w *world, url string) string {
				w.must("PUT", "/sandbox/clock", `{"advance":"61s"}`)
				return url
			}},
		"no JSON":         {order: `{"bot":"b1"}`, body: `도착`, status: "FAIL", message: badBody},
		"another version": {order: `{"bot":"b1"}`, body: `{"version":"1.0"}`, status: "FAIL", message: badBody},
		"no bubble":       {order: `{"bot":"b1"}`, body: `{"version":"2.0","template":{"outputs":[]}}`, status: "FAIL", message: badBody},
		"asks to wait":    {order: `{"bot":"b1"}`, body: `{"version":"2.0","useCallback":true}`, status: "FAIL", message: badBody},
		"an empty text":   {order: `{"bot":"b1"}`, body: `{"version":"2.0","template":{"outputs":[{"simpleText":{"text":""}}]}}`, status: "FAIL", message: badBody},
		"a bubble too big": {order: `{"bot":"b1"}`, status: "FAIL", message: badBody,
			body: `{"version":"2.0","template":{"outputs":[{"basicCard":{"description":"` + strings.Repeat("x", 31_000) + `"}}]}}`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			issued := w.must("POST", "/sandbox/callbacks", tt.order)
			url := issued["url"].(string)
			if tt.play != nil {
				url = tt.play(t, w, url)
			}
			status, message := post(t, url, tt.body)
			if status != tt.status || message != tt.message {
				t.Errorf("callback = %s %q, want %s %q", status, message, tt.status, tt.message)
			}
			truth := w.must("GET", "/sandbox/truth/callbacks/"+issued["token"].(string), "")
			if truth["shown"] != tt.wantShown {
				t.Errorf("truth = %v, want shown %t", truth, tt.wantShown)
			}
		})
	}
}

func TestCallback_faults(t *testing.T) {
	for kind, want := range map[string]int{"cut_after": 1, "cut_before": 0, "error_after": 1, "error_before": 0, "garbage": 1} {
		w := newWorld(t)
		issued := w.must("POST", "/sandbox/callbacks", `{"bot":"b1"}`)
		w.must("POST", "/sandbox/faults", `{"target":"kakao.callback","fault":"`+kind+`","bot":"b1"}`)
		response, err := http.Post(issued["url"].(string), "application/json", strings.NewReader(shown))
		if strings.HasPrefix(kind, "cut") != (err != nil) {
			t.Errorf("callback with %s = %v, want an error only when cut", kind, err)
		}
		if err == nil {
			_ = response.Body.Close()
		}
		if got := w.Truth().Kakao.Callbacks["shown"]; got != want {
			t.Errorf("%d callbacks shown with %s, want %d", got, kind, want)
		}
	}
}

func TestUtterance(t *testing.T) {
	asked := make(chan map[string]any, 1)
	skill := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body map[string]any
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Errorf("the skill was sent no JSON: %v", err)
		}
		asked <- body
		switch r.URL.Path {
		case "/wait":
			_, _ = io.WriteString(w, `{"version":"2.0","useCallback":true,"data":{"text":"잠시만요"}}`)
		case "/broken":
			w.WriteHeader(http.StatusInternalServerError)
		default:
			_, _ = io.WriteString(w, shown)
		}
	}))
	t.Cleanup(skill.Close)
	w := newWorld(t)

	t.Run("answered at once", func(t *testing.T) {
		told := w.must("POST", "/sandbox/utterances", `{"skill_url":"`+skill.URL+`/now","bot":"b1","user":"u9","utterance":"배송","friend":false,
			"properties":{"grade":"gold"},"block":{"id":"blk","name":"배송 조회"},"client_extra":{"sku":"BK"}}`)
		body := <-asked
		if told["shown"] != true || told["status"] != 200.0 || told["use_callback"] != false || told["callback"] != nil {
			t.Errorf("utterance = %v, want it shown, without callback", told)
		}
		request := body["userRequest"].(map[string]any)
		user := request["user"].(map[string]any)["properties"].(map[string]any)
		_, isFriend := user["isFriend"]
		_, hasCallback := request["callbackUrl"]
		if request["utterance"] != "배송" || user["grade"] != "gold" || user["botUserKey"] != "u9" || isFriend || hasCallback {
			t.Errorf("the skill was asked %v, want u9 who is no friend, without callbackUrl", request)
		}
		if trigger := body["flow"].(map[string]any)["trigger"].(map[string]any)["type"]; trigger != "CARD_BUTTON_BLOCK" {
			t.Errorf("trigger = %v, want that of a button", trigger)
		}
	})
	t.Run("answered later", func(t *testing.T) {
		told := w.must("POST", "/sandbox/utterances", `{"skill_url":"`+skill.URL+`/wait","bot":"b1!","callback":true}`)
		request := (<-asked)["userRequest"].(map[string]any)
		callback := told["callback"].(map[string]any)
		if told["use_callback"] != true || told["shown"] != true || request["callbackUrl"] != callback["url"] {
			t.Fatalf("utterance = %v, skill asked %v, want a callback promised", told, request)
		}
		go func() {
			response, err := http.Post(callback["url"].(string), "application/json", strings.NewReader(shown))
			if err == nil {
				_ = response.Body.Close()
			}
		}()
		truth := w.must("GET", "/sandbox/truth/callbacks/"+callback["token"].(string)+"?wait_seconds=10", "")
		received := truth["received"].([]any)
		if truth["shown"] != true || len(received) != 1 {
			t.Fatalf("truth of the callback = %v, want one that is shown", truth)
		}
		body, _ := json.Marshal(received[0].(map[string]any)["body"])
		if !bytes.Contains(body, []byte("도착했어요")) {
			t.Errorf("the callback kept %s, want its body", body)
		}
		if got := len(w.items("/sandbox/truth/callbacks")); got != 1 {
			t.Errorf("truth lists %d callbacks, want 1", got)
		}
	})
	t.Run("a callback for a call without one", func(t *testing.T) {
		told := w.must("POST", "/sandbox/utterances", `{"skill_url":"`+skill.URL+`/wait"}`)
		<-asked
		if told["shown"] != false || told["problem"] == "" {
			t.Errorf("utterance = %v, want it not shown", told)
		}
	})
	t.Run("a callback that the first answer did not ask for", func(t *testing.T) {
		told := w.must("POST", "/sandbox/utterances", `{"skill_url":"`+skill.URL+`/now","bot":"b1","callback":true}`)
		<-asked
		_, message := post(t, told["callback"].(map[string]any)["url"].(string), shown)
		if !strings.HasPrefix(message, "The skill server settings are incorrect.") {
			t.Errorf("callback = %q, want it refused for the first answer", message)
		}
	})
	t.Run("a skill that fails, from the test tool", func(t *testing.T) {
		told := w.must("POST", "/sandbox/utterances", `{"skill_url":"`+skill.URL+`/broken","test":true}`)
		params := (<-asked)["userRequest"].(map[string]any)["params"].(map[string]any)
		if told["status"] != 500.0 || told["shown"] != false || params["surface"] != "BuilderBotTest" {
			t.Errorf("utterance = %v with %v, want status 500 from the test tool", told, params)
		}
	})
	t.Run("a skill that is not there", func(t *testing.T) {
		told := w.must("POST", "/sandbox/utterances", `{"skill_url":"http://127.0.0.1:1/"}`)
		if told["status"] != 0.0 || told["shown"] != false || told["timed_out"] != false {
			t.Errorf("utterance = %v, want no answer", told)
		}
	})
}

// Kakao waits 5 seconds and no longer.
func TestUtterance_timesOut(t *testing.T) {
	left := make(chan struct{})
	skill := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
		close(left)
	}))
	t.Cleanup(skill.Close)
	w := newWorld(t)
	started := time.Now()
	told := w.must("POST", "/sandbox/utterances", `{"skill_url":"`+skill.URL+`"}`)
	if took := time.Since(started); told["timed_out"] != true || told["shown"] != false || took < talk.SkillLimit || took > talk.SkillLimit+5*time.Second {
		t.Errorf("utterance = %v after %v, want it given up after %v", told, took, talk.SkillLimit)
	}
	<-left
}
