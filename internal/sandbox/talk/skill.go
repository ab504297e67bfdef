package talk

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// SkillLimit is how long Kakao waits for a skill.
const SkillLimit = 5 * time.Second

// Limits of Kakao for what a skill answers.
const (
	maxBubbleBytes  = 30_000
	maxOutputs      = 3
	maxQuickReplies = 10
	maxAnswer       = 1 << 20
)

// skillPayload is what Kakao posts to a skill.
type skillPayload struct {
	Bot         named          `json:"bot"`
	Intent      named          `json:"intent"`
	Action      skillAction    `json:"action"`
	UserRequest skillUserInput `json:"userRequest"`
	Contexts    []string       `json:"contexts"`
	Flow        *skillFlow     `json:"flow,omitempty"`
}

type named struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

type skillAction struct {
	named
	Params       map[string]string `json:"params"`
	DetailParams map[string]any    `json:"detailParams"`
	ClientExtra  map[string]any    `json:"clientExtra"`
}

type skillUserInput struct {
	Timezone    string         `json:"timezone"`
	Lang        string         `json:"lang"`
	Utterance   string         `json:"utterance"`
	Params      map[string]any `json:"params"`
	Block       named          `json:"block"`
	CallbackURL string         `json:"callbackUrl,omitempty"`
	User        skillUser      `json:"user"`
}

type skillUser struct {
	ID         string         `json:"id"`
	Type       string         `json:"type"`
	Properties map[string]any `json:"properties"`
}

type skillFlow struct {
	Trigger struct {
		Type string `json:"type"`
	} `json:"trigger"`
	LastBlock named `json:"lastBlock"`
}

// newPayload returns a call for a user who is known to the bot by key.
func newPayload(channel string, block named, key string, friend bool) skillPayload {
	properties := map[string]any{"botUserKey": key, "plusfriendUserKey": "pf-" + key}
	if friend {
		properties["isFriend"] = true // left out when false, as Kakao does
	}
	return skillPayload{
		Bot: named{ID: channel, Name: "sandbox"}, Intent: block,
		Action: skillAction{named: named{ID: "skill-" + block.ID, Name: "skill"}, Params: map[string]string{}, DetailParams: map[string]any{}},
		UserRequest: skillUserInput{
			Timezone: "Asia/Seoul", Lang: "ko", Params: map[string]any{"surface": "Kakaotalk.plusfriend"}, Block: block,
			User: skillUser{ID: key, Type: "botUserKey", Properties: properties},
		},
		Contexts: []string{},
	}
}

// skillAnswer is a skill's answer as Kakao judges it.
type skillAnswer struct {
	Status      int
	Body        []byte
	UseCallback bool
	Problem     string // why Kakao shows nothing; empty when it shows the answer
	TimedOut    bool
	Latency     time.Duration
}

// callSkill posts a payload and waits at most Kakao's 5 seconds.
func (k *Kakao) callSkill(ctx context.Context, url string, payload skillPayload) skillAnswer {
	ctx, cancel := context.WithTimeout(ctx, SkillLimit)
	defer cancel()
	body, err := json.Marshal(payload)
	if err != nil {
		return skillAnswer{Problem: err.Error()}
	}
	started := time.Now()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return skillAnswer{Problem: err.Error()}
	}
	request.Header.Set("Content-Type", "application/json;charset=UTF-8")
	response, err := k.skills.Do(request)
	if err == nil {
		defer response.Body.Close()
		body, err = io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	}
	got := skillAnswer{Latency: time.Since(started)}
	if err != nil {
		got.TimedOut = errors.Is(err, context.DeadlineExceeded) || got.Latency >= SkillLimit
		got.Problem = "no answer: " + err.Error()
		return got
	}
	got.Status, got.Body = response.StatusCode, body
	got.UseCallback, got.Problem = judge(body)
	if response.StatusCode != http.StatusOK {
		got.Problem = fmt.Sprintf("status %d", response.StatusCode)
	}
	return got
}

// judge says whether an answer asks for the callback, and why Kakao would not show it.
func judge(body []byte) (useCallback bool, problem string) {
	var a struct {
		Version     string `json:"version"`
		UseCallback bool   `json:"useCallback"`
		Template    struct {
			Outputs      []map[string]json.RawMessage `json:"outputs"`
			QuickReplies []json.RawMessage            `json:"quickReplies"`
		} `json:"template"`
	}
	if err := json.Unmarshal(body, &a); err != nil {
		return false, "it is not a skill answer: " + err.Error()
	}
	switch {
	case a.Version != "2.0":
		return false, "version is not 2.0"
	case a.UseCallback:
		return true, ""
	case len(a.Template.Outputs) < 1 || len(a.Template.Outputs) > maxOutputs:
		return false, fmt.Sprintf("%d outputs, 1 to %d are shown", len(a.Template.Outputs), maxOutputs)
	case len(a.Template.QuickReplies) > maxQuickReplies:
		return false, fmt.Sprintf("%d quick replies, at most %d are shown", len(a.Template.QuickReplies), maxQuickReplies)
	}
	for i, output := range a.Template.Outputs {
		if len(output) != 1 {
			return false, fmt.Sprintf("outputs[%d] holds %d bubbles", i, len(output))
		}
		for kind, bubble := range output {
			if len(bubble) > maxBubbleBytes {
				return false, fmt.Sprintf("outputs[%d] is %d bytes, at most %d are shown", i, len(bubble), maxBubbleBytes)
			}
			var text struct{ Text string }
			if kind == "simpleText" && (json.Unmarshal(bubble, &text) != nil || text.Text == "" || len([]rune(text.Text)) > 1000) {
				return false, fmt.Sprintf("outputs[%d].simpleText.text is empty or longer than 1000", i)
			}
		}
	}
	return false, ""
}
