package sandbox_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/kakao"
	"github.com/malgil/malgil/internal/sandbox"
)

func TestShop(t *testing.T) {
	s := sandbox.New(sandbox.Options{Clock: clock.StartingAt(time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC))})
	defer s.Close(t.Context())
	server := httptest.NewServer(s)
	defer server.Close()
	post := func(query, body string) (int, []byte) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/shop/skill"+query, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Malgil-Utterance", "utt_1")
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		got, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, got
	}
	const asked = `{"bot":{"id":"b1"},"userRequest":{"utterance":"내 책 어디쯤?"}}`
	begun := time.Now()
	status, got := post("?seconds=0.2", asked)
	response, err := kakao.ParseSkillResponse(got)
	if status != 200 || err != nil || len(kakao.Lint(response)) > 0 || !strings.Contains(string(got), "내 책 어디쯤?") || time.Since(begun) < 200*time.Millisecond {
		t.Errorf("the shop answers %d %s after %v, %v, want a valid answer after 0.2 s", status, got, time.Since(begun), err)
	}
	for query, body := range map[string]string{"?seconds=1000": asked, "?seconds=NaN": asked, "": "안녕"} {
		if status, got := post(query, body); status != 400 {
			t.Errorf("%s %s = %d %s, want 400", query, body, status, got)
		}
	}
	answer, err := http.Post(server.URL+"/sandbox/faults", "application/json", strings.NewReader(`{"target":"shop.skill","fault":"error_before"}`))
	if err != nil || answer.StatusCode != 201 {
		t.Fatalf("a fault = %v, %v", answer, err)
	}
	answer.Body.Close()
	if status, _ := post("", asked); status != 500 {
		t.Errorf("with a fault = %d, want 500", status)
	}
	recorded := httptest.NewRecorder()
	s.ServeHTTP(recorded, httptest.NewRequest(http.MethodGet, "/sandbox/truth/shop", nil))
	var truth struct {
		Items []struct {
			Bot, Utterance string
			Callback       bool
			Headers        map[string]string
			Body           json.RawMessage
		}
	}
	if err := json.Unmarshal(recorded.Body.Bytes(), &truth); err != nil || len(truth.Items) != 1 {
		t.Fatalf("truth = %s, %v, want the one call that was not refused", recorded.Body, err)
	}
	if c := truth.Items[0]; c.Bot != "b1" || c.Utterance != "내 책 어디쯤?" || c.Callback || c.Headers["Malgil-Utterance"] != "utt_1" || string(c.Body) != asked {
		t.Errorf("truth = %+v", c)
	}
}
