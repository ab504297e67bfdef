package acceptance_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// skillAnswer is an answer to a skill call as far as a user sees it.
type skillAnswer struct {
	Version  string `json:"version"`
	Template struct {
		Outputs []struct {
			SimpleText struct {
				Text string `json:"text"`
			} `json:"simpleText"`
		} `json:"outputs"`
	} `json:"template"`
}

// bubble returns the one text that an answer shows, or why it is no valid answer of one bubble.
func bubble(body []byte) (string, error) {
	var a skillAnswer
	if err := json.Unmarshal(body, &a); err != nil {
		return "", err
	}
	if a.Version != "2.0" || len(a.Template.Outputs) != 1 || a.Template.Outputs[0].SimpleText.Text == "" {
		return "", errors.New("it is no skill response 2.0 with one text")
	}
	return a.Template.Outputs[0].SimpleText.Text, nil
}

// saysAndHears plays one utterance at Kakao's side. It may be called beside the test's goroutine.
func (h *house) saysAndHears(s *shop, user, words, want string) error {
	var said struct {
		Shown   bool            `json:"shown"`
		Problem string          `json:"problem"`
		Answer  json.RawMessage `json:"answer"`
	}
	// The block of a fallback is Kakao's own word for not having understood.
	err := h.sandbox.Call(h.t.Context(), "POST", "/sandbox/utterances", map[string]any{
		"skill_url": s.skillURL, "bot": s.bot, "user": user, "utterance": words,
	}, &said)
	if err != nil {
		return fmt.Errorf("say %q: %w", words, err)
	}
	if !said.Shown {
		return fmt.Errorf("%q is answered with what Kakao does not show: %s", words, said.Problem)
	}
	got, err := bubble(said.Answer)
	if err != nil || got != want {
		return fmt.Errorf("%q is answered %s (%v), want %q", words, said.Answer, err, want)
	}
	return nil
}

// reply is what an address answered.
type reply struct {
	status      int
	contentType string
	body        string
}

// post posts a body as it is.
func (h *house) post(address, contentType, body string) reply {
	h.t.Helper()
	request, err := http.NewRequestWithContext(h.t.Context(), http.MethodPost, address, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	request.Header.Set("Content-Type", contentType)
	return h.send(request)
}

func (h *house) send(request *http.Request) reply {
	h.t.Helper()
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		h.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return reply{status: answer.StatusCode, contentType: answer.Header.Get("Content-Type"), body: string(text)}
}

// Whatever is posted to a skill URL, Kakao gets 200 and a bubble that it can show.
func badSkillBodies(t *testing.T) {
	h := open(t, plan{})
	s := h.openShop(0)
	for name, body := range map[string]string{
		"nothing":                     ``,
		"no JSON":                     `안녕하세요`,
		"half of it":                  `{"userRequest":{"utterance":"안녕`,
		"null":                        `null`,
		"a list":                      `[]`,
		"a number":                    `5`,
		"no user":                     `{"userRequest":{"utterance":"안녕하세요"}}`,
		"a request that is a number":  `{"userRequest":5}`,
		"an utterance that is a list": `{"userRequest":{"utterance":["안녕"],"user":{"id":"u-1"}}}`,
		"nested far too deep":         strings.Repeat(`{"bot":`, 5_000) + `1` + strings.Repeat(`}`, 5_000),
		"bytes that are no text":      "{\"userRequest\":{\"utterance\":\"\xff\xfe\",\"user\":{\"id\":\"u-1\"}}}",
		"another version":             `{"version":"1.0","contents":[]}`,
		"an empty object":             `{}`,
	} {
		got := h.post(s.skillURL, "application/json", body)
		if got.status != http.StatusOK || !strings.HasPrefix(got.contentType, "application/json") {
			t.Errorf("%s: answer %d %s, want 200 and JSON", name, got.status, got.contentType)
		}
		if _, err := bubble([]byte(got.body)); err != nil {
			t.Errorf("%s: answer %s: %v", name, got.body, err)
		}
	}
	if got := h.post(s.skillURL, "application/json", strings.Repeat(" ", 256<<10+1)); got.status != http.StatusRequestEntityTooLarge {
		t.Errorf("a body over 256 KiB is answered %d, want 413", got.status)
	}
	// A body with fields that nobody knows yet is a body as any other, and so is a strange media type.
	known := `{"bot":{"id":"` + s.bot + `"},"userRequest":{"utterance":"` + hoursName + `","new":{"field":1},"user":{"id":"u-2"}},"later":[1]}`
	h.post(s.skillURL, "application/json", known) // the first entry is welcomed
	if got, _ := bubble([]byte(h.post(s.skillURL, "text/plain", known).body)); got != hours {
		t.Errorf("a body with unknown fields is answered %q, want %q", got, hours)
	}
	if err := h.saysAndHears(s, "u-2", "ㅁㄴㅇㄹ", fallback); err != nil {
		t.Error(err)
	}
	h.balance()
}

// Nobody learns from an answer whether a bot exists or only the key is wrong.
func unknownSkillURLs(t *testing.T) {
	h := open(t, plan{})
	s := h.openShop(0)
	const body = `{"userRequest":{"utterance":"안녕","user":{"id":"u-1"}}}`
	want := h.post(h.url+"/no/such/route", "application/json", body)
	if want.status != http.StatusNotFound {
		t.Fatalf("an unknown route is answered %d, want 404", want.status)
	}
	key := s.skillURL[strings.LastIndexByte(s.skillURL, '/')+1:]
	for name, path := range map[string]string{
		"unknown bot":            "/skill/66a1f0c2d4b7e83f5a9c1dee/" + key,
		"wrong key":              "/skill/" + s.bot + "/" + strings.Repeat("x", len(key)),
		"key of another length":  "/skill/" + s.bot + "/x",
		"key in other letters":   "/skill/" + s.bot + "/" + strings.ToUpper(key) + "x",
		"a bot that is no id":    "/skill/%27%20OR%201=1/" + key,
		"the bot without a key":  "/skill/" + s.bot,
		"a development bot's":    "/skill/66a1f0c2d4b7e83f5a9c1dee!/" + key,
		"a path below the route": "/skill/" + s.bot + "/" + key + "/more",
	} {
		if got := h.post(h.url+path, "application/json", body); got != want {
			t.Errorf("%s is answered %+v, an unknown route %+v", name, got, want)
		}
	}
	if got := h.post(s.skillURL, "application/json", body); got.status != http.StatusOK {
		t.Errorf("the right key is answered %d, want 200", got.status)
	}
}
