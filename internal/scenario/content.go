package scenario

import (
	"time"

	"github.com/malgil/malgil/internal/kakao"
	"github.com/malgil/malgil/internal/knowledge"
)

// Content is all that a bot can say: what one version of it holds. It is stored as JSON and never
// changes; a change is a new version.
type Content struct {
	Blocks    []Block          `json:"blocks"`
	Knowledge []knowledge.Item `json:"knowledge,omitempty"`
	Servers   []Server         `json:"servers,omitempty"`
}

// Kind says when a block runs. The words are stored.
type Kind string

// The kinds of blocks.
const (
	Welcome  Kind = "welcome"  // (웰컴블록) only a user's first entry
	Fallback Kind = "fallback" // (폴백블록) what nothing else answers
	Exit     Kind = "exit"     // (탈출블록) its words leave a re-ask (되묻기)
	Normal   Kind = "normal"   // (일반블록) its words are said, or Kakao, a button or a skill URL names it
)

// Block (블록) is one answer and when it is given. Texts of Answer, Context, Data and of
// the questions of Asks may hold words that are filled in when it answers; see [Answer].
type Block struct {
	ID       string        `json:"id"` // Kakao's
	Name     string        `json:"name"`
	Kind     Kind          `json:"kind"`
	Says     []string      `json:"says,omitempty"`     // example utterances (발화 패턴), besides the name
	Event    string        `json:"event,omitempty"`    // of the Event API, starts it; "" for none
	Callback bool          `json:"callback,omitempty"` // Kakao has callback switched on for it
	Delay    time.Duration `json:"delay,omitempty"`    // stands for slow work before the answer, in nanoseconds
	Asks     []Ask         `json:"asks,omitempty"`     // required parameters (필수 파라미터), in the order in which they are asked for

	// How it answers: with bubbles, or by a call of the business's own skill server. Both are nil
	// where the answer is fixed by the kind, which is an exit's.
	Answer  *kakao.Template `json:"answer,omitempty"`
	Webhook *Webhook        `json:"webhook,omitempty"`

	Handoff bool                 `json:"handoff,omitempty"` // ends in a button to a person (상담직원 연결)
	Context []kakao.ContextValue `json:"context,omitempty"` // set when it has answered
	Data    map[string]any       `json:"data,omitempty"`    // as data of the skill response
}

// Ask is a required parameter of a block: without a value the user is asked for one (되묻기).
type Ask struct {
	Param   string   `json:"param"`
	Ask     string   `json:"ask"`               // the question
	Again   string   `json:"again,omitempty"`   // the question after an answer that did not fit; Ask, when empty
	Is      string   `json:"is,omitempty"`      // what fits: text (any), number, phone, date or choice; text, when empty
	Choices []string `json:"choices,omitempty"` // of a choice, shown as quick replies
	Pattern string   `json:"pattern,omitempty"` // regular expression (RE2) that the whole of a text must match
	Past    bool     `json:"past,omitempty"`    // of a date: it lies behind, so a day without a year, or of no week, is the last one and not the next
	Tries   int      `json:"tries,omitempty"`   // questions before the block gives up and the exit block answers; 3, when 0
}

// Server is a skill server (스킬 서버) of the business.
type Server struct {
	Name    string            `json:"name"`
	URL     string            `json:"url"`               // https
	Headers map[string]string `json:"headers,omitempty"` // sent with every call; no secrets: see [Webhook]
}

// Webhook answers a block by a call of a server. Calls are signed with the bot's own secret.
type Webhook struct {
	Server string `json:"server"`         // its name
	Path   string `json:"path,omitempty"` // added to the server's URL
	// Fallback is what the user reads when the server fails or is too late; [FailedText], when nil.
	Fallback *kakao.Template `json:"fallback,omitempty"`
}

// Settings are what an operator sets of a bot's talking, at once and on both sides; they are of no
// version.
type Settings struct {
	MinimumAccuracy int  `json:"minimum_accuracy"` // (최소 답변 정확도) score from which a knowledge item answers, 0 to 100
	ChooseWithin    int  `json:"choose_within"`    // answers whose scores are this close are offered to choose from; 0 never
	HandoffAfter    int  `json:"handoff_after"`    // fallbacks in a row after which a person is offered; 0 never
	SecurityLevel   int  `json:"security_level"`   // (보안등급) 1 to 4: how long utterances are kept
	PlainUserKeys   bool `json:"plain_user_keys"`  // user keys are recorded as they are, not hashed
	WebhookCalls    int  `json:"webhook_calls"`    // calls of its skill servers at a time, per process
}

// DefaultSettings are those of a new bot.
var DefaultSettings = Settings{MinimumAccuracy: 70, ChooseWithin: 3, HandoffAfter: 3, SecurityLevel: 4, WebhookCalls: 16}
