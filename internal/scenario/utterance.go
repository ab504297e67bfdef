package scenario

import (
	"crypto/hmac"
	"crypto/sha256"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/kakao"
)

// Outcome says how an utterance was answered.
type Outcome string

const (
	Direct          Outcome = "direct"           // in time, by a worker
	Inline          Outcome = "inline"           // in time, by the intake itself: the queue was away
	Callback        Outcome = "callback"         // later, through the callback URL
	CallbackFailed  Outcome = "callback_failed"  // promised, and certainly not shown
	CallbackUnknown Outcome = "callback_unknown" // promised, and perhaps shown
	Late            Outcome = "late"             // a short bubble instead of the answer
	Refused         Outcome = "refused"          // a safe text instead of an answer that is not valid
	Failed          Outcome = "failed"           // a safe text instead of an answer: the work failed
	ServerFailed    Outcome = "server_failed"    // the webhook's fallback instead of an answer: the skill server of the business failed
	Unreadable      Outcome = "unreadable"       // a safe text: the call was no skill payload; counted, not kept
)

// Recorded lists the outcomes of utterances that are kept, and Outcomes every outcome.
var (
	Recorded = []Outcome{Direct, Inline, Callback, CallbackFailed, CallbackUnknown, Late, Refused, Failed, ServerFailed}
	Outcomes = slices.Concat(Recorded, []Outcome{Unreadable})
)

// The two sides of a bot: its live channel (운영채널) and its development channel (개발채널).
const (
	Live        = "live"
	Development = "development"
)

// Utterance (발화) is what was asked and what became of it, as it is kept.
type Utterance struct {
	ID, BotID  string
	Side       string
	UserHash   []byte // nil when the call named nobody
	UserKey    string // as Kakao has it, where the bot's settings allow that; else ""
	Asked      string // at most maxAsked bytes
	BlockID    string // "" when no block answered
	Item       string // question of the knowledge item that answered, "" for none
	Why        Why    // "" when nothing was chosen
	Score      int    // of what answered, else of what was most like it; 0 where no words were compared
	Matches    string // what was compared, best first, as JSON of [Candidate]s; the first with its parts, "" for none
	Offered    bool   // the answer offered a person
	Outcome    Outcome
	BudgetLeft time.Duration // until the intake would have stopped waiting; negative when late
	At         time.Time     // when Kakao's call came in
}

// The log shows what was meant, it is no archive of pasted texts. All are in bytes.
const (
	maxAsked   = 2000
	maxUserKey = 280 // Kakao's have at most 70 characters
	maxMatches = 4000
)

// Question is one call of a skill.
type Question struct {
	ID          string // utterance id
	BotID       string // without the development mark
	Block       string // the block that the skill URL stands for, or ""
	Development bool   // the skill URL is of the development channel; a request may say so, too
	Request     kakao.SkillRequest
	Raw         []byte // the body that Request was read from
	At          time.Time
}

// ChunkID returns the chunk whose message caused this call, "" when a person did.
func (q Question) ChunkID() string { return q.Request.Params[broadcast.ChunkParam] }

// room reports whether it was said in a group room (그룹 채팅방).
func (q Question) room() bool { return q.Request.Chat.ID != "" }

// fit makes an answer one that can be shown where the question was asked.
func (q Question) fit(r kakao.SkillResponse) kakao.SkillResponse {
	if q.room() {
		return inRoom(r)
	}
	r.Extra = nil // mentions, which a channel does not know
	return r
}

func inRoom(r kakao.SkillResponse) kakao.SkillResponse {
	if r.Template != nil {
		template := kakao.InRoom(*r.Template)
		r.Template = &template
	}
	return r
}

// lint returns what Kakao would refuse in an answer to the question.
func (q Question) lint(r kakao.SkillResponse) []kakao.Problem {
	if q.room() {
		return kakao.LintRoom(r)
	}
	return kakao.Lint(r)
}

func (q Question) lintTemplate(t kakao.Template) []kakao.Problem {
	if q.room() {
		return kakao.LintRoomTemplate(t)
	}
	return kakao.LintTemplate(t)
}

func (q Question) side() string {
	if q.Development || q.Request.Development() {
		return Development
	}
	return Live
}

// Evidence is that a message of a chunk reached somebody: the message's block called a skill.
type Evidence struct {
	BotID, ChunkID string
	UserHash       []byte
	At             time.Time
}

// UserHash hides a user key behind the installation's own key: HMAC-SHA256. It is nil for no
// user key.
func UserHash(installationKey []byte, userKey string) []byte {
	if userKey == "" {
		return nil
	}
	mac := hmac.New(sha256.New, installationKey)
	mac.Write([]byte(userKey))
	return mac.Sum(nil)
}

// heard is what is looked at of an utterance, so that a long one takes no longer than a long question: as
// much as the log keeps, and so what a replay looks at.
func heard(utterance string) string {
	if len(utterance) <= maxAsked {
		return utterance
	}
	cut := maxAsked
	for cut > maxAsked-utf8.UTFMax && !utf8.RuneStart(utterance[cut]) {
		cut--
	}
	return utterance[:cut]
}

// stored cuts a text for the log, between characters, and drops what PostgreSQL cannot store.
func stored(text string, most int) string {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "\ufffd"), "\x00", "")
	if len(text) <= most {
		return text
	}
	cut := most
	for !utf8.RuneStart(text[cut]) {
		cut--
	}
	return strings.Clone(text[:cut]) // the log waits to be written, and the rest need not wait in memory with it
}
