package talk

import (
	"encoding/json"
	"maps"
	"net/http"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/sandbox/answer"
)

// utterance is what a user says, and where it goes.
type utterance struct {
	SkillURL    string            `json:"skill_url"`
	Bot         string            `json:"bot"` // with the mark of the development channel
	User        string            `json:"user"`
	Utterance   string            `json:"utterance"`
	Block       Block             `json:"block"`
	LastBlock   Block             `json:"last_block"`
	Friend      *bool             `json:"friend"`   // true unless said otherwise
	Callback    bool              `json:"callback"` // send a callbackUrl
	Test        bool              `json:"test"`     // from the test tool of the admin centre
	Params      map[string]any    `json:"params"`
	Properties  map[string]string `json:"properties"`
	ClientExtra map[string]any    `json:"client_extra"` // of the button that was touched
}

type utteranceAnswer struct {
	Status      int             `json:"status"` // of HTTP, 0 without answer
	LatencyMS   float64         `json:"latency_ms"`
	Shown       bool            `json:"shown"` // Kakao would show it, or wait for the callback
	Problem     string          `json:"problem,omitempty"`
	TimedOut    bool            `json:"timed_out"` // no answer within 5 seconds
	UseCallback bool            `json:"use_callback"`
	Answer      json.RawMessage `json:"answer,omitempty"`
	Callback    *issuedCallback `json:"callback,omitempty"`
}

type issuedCallback struct {
	Token string `json:"token"`
	URL   string `json:"url"`
}

// playUtterance is POST /sandbox/utterances: it plays the user and Kakao, and returns what the
// skill answered at once.
func (k *Kakao) playUtterance(w http.ResponseWriter, r *http.Request) {
	said := utterance{Bot: "66a1f0c2d4b7e83f5a9c1d20", User: "u-1", Block: Block{ID: "66a1f3a9d4b7e83f5a9c1d44", Name: "블록"}}
	err := answer.Read(r, &said)
	switch {
	case err != nil:
	case said.SkillURL == "":
		err = fault.Field("skill_url", "skill_url is required")
	default:
		if why := k.options.MayCall(said.SkillURL); why != nil {
			err = fault.Field("skill_url", "skill_url %v", why)
		}
	}
	if err != nil {
		answer.Problem(w, err)
		return
	}
	var issued *callback
	var told utteranceAnswer
	payload := said.payload()
	if said.Callback {
		issued = k.newCallback(said.Bot, said.Test, false)
		payload.UserRequest.CallbackURL = k.callbackURL(r, issued)
		told.Callback = &issuedCallback{Token: issued.token, URL: payload.UserRequest.CallbackURL}
	}
	got := k.callSkill(r.Context(), said.SkillURL, payload)
	if issued != nil {
		k.mu.Lock()
		issued.asked = got.UseCallback && got.Problem == ""
		k.mu.Unlock()
	} else if got.UseCallback && got.Problem == "" {
		got.Problem = "useCallback for a call without callbackUrl"
	}
	told.Status, told.TimedOut, told.UseCallback = got.Status, got.TimedOut, got.UseCallback
	told.LatencyMS = float64(got.Latency.Microseconds()) / 1000
	told.Shown, told.Problem = got.Problem == "", got.Problem
	if json.Valid(got.Body) {
		told.Answer = got.Body
	}
	answer.JSON(w, http.StatusOK, told)
}

func (u utterance) payload() skillPayload {
	block := named{ID: u.Block.ID, Name: u.Block.Name}
	payload := newPayload(u.Bot, block, u.User, u.Friend == nil || *u.Friend)
	payload.UserRequest.Utterance = u.Utterance
	payload.Action.ClientExtra = u.ClientExtra
	if payload.Action.ClientExtra == nil {
		payload.Action.ClientExtra = map[string]any{}
	}
	if u.Test {
		payload.UserRequest.Params["surface"] = "BuilderBotTest"
		payload.UserRequest.Params["ignoreMe"] = "true"
	}
	maps.Copy(payload.UserRequest.Params, u.Params)
	for name, value := range u.Properties {
		payload.UserRequest.User.Properties[name] = value
	}
	payload.Flow = &skillFlow{LastBlock: named{ID: u.LastBlock.ID, Name: u.LastBlock.Name}}
	payload.Flow.Trigger.Type = "TEXT_INPUT"
	if len(u.ClientExtra) > 0 {
		payload.Flow.Trigger.Type = "CARD_BUTTON_BLOCK"
	}
	return payload
}
