package bot

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/kakao"
)

// BlockKind says when a block answers. The words are stored.
type BlockKind string

// The kinds of blocks.
const (
	Welcome  BlockKind = "welcome"  // 웰컴블록: a user's first entry
	Fallback BlockKind = "fallback" // 폴백블록: nothing else answers
	Normal   BlockKind = "normal"
)

// Block (블록) is one answer of a bot.
type Block struct {
	ID       string
	Name     string
	Kind     BlockKind
	Event    string // event name that a broadcast fires, or empty
	Callback bool   // Kakao has callback switched on for it
	Delay    time.Duration
	Answer   json.RawMessage // template of a skill response 2.0: outputs and quickReplies
}

const (
	maxBlocks = 1000
	maxDelay  = 50 * time.Second // a callback is made within 55 s
)

// checkBlocks checks the whole list of a bot's blocks and returns it with trimmed names and
// answers written the same way. The error names the first field at fault; for an answer, every
// problem of the list is in [AnswerError].
func checkBlocks(blocks []Block) ([]Block, error) {
	if len(blocks) > maxBlocks {
		return nil, fault.Field("blocks", "has %d entries, at most %d are kept", len(blocks), maxBlocks)
	}
	checked := make([]Block, len(blocks))
	first := map[string]string{} // what may stand once → where it stands
	once := func(field, path, what string) error {
		if before, taken := first[what]; taken {
			return fault.Field(path+field, "is the same as that of %s", before)
		}
		first[what] = path
		return nil
	}
	var problems []fault.Error
	for i, b := range blocks {
		path := fmt.Sprintf("blocks[%d]", i)
		b.Name = strings.TrimSpace(b.Name)
		b.Event = strings.TrimSpace(b.Event)
		if err := checkBlock(path, b); err != nil {
			return nil, err
		}
		if err := once(".id", path, "id "+b.ID); err != nil {
			return nil, err
		}
		if b.Kind != Normal {
			if err := once(".kind", path, "kind "+string(b.Kind)); err != nil {
				return nil, err
			}
		}
		if b.Event != "" {
			if err := once(".event_name", path, "event "+b.Event); err != nil {
				return nil, err
			}
		}
		var wrong []fault.Error
		b.Answer, wrong = checkAnswer(path+".answer", b.Answer)
		checked[i] = b
		problems = append(problems, wrong...)
	}
	if len(problems) > 0 {
		return nil, &AnswerError{Problems: problems}
	}
	return checked, nil
}

func checkBlock(path string, b Block) error {
	switch {
	case b.ID == "":
		return fault.Field(path+".id", "is missing; it is the block id that Kakao shows")
	case len(b.ID) > maxID || strings.ContainsFunc(b.ID, notOfID):
		return fault.Field(path+".id", "must be at most %d letters, digits, - and _", maxID)
	case b.Name == "":
		return fault.Field(path+".name", "is missing")
	case utf8.RuneCountInString(b.Name) > maxName:
		return fault.Field(path+".name", "must be at most %d characters", maxName)
	case b.Kind != Welcome && b.Kind != Fallback && b.Kind != Normal:
		return fault.Field(path+".kind", "must be welcome, fallback or normal")
	case utf8.RuneCountInString(b.Event) > maxName:
		return fault.Field(path+".event_name", "must be at most %d characters", maxName)
	case b.Delay < 0 || b.Delay > maxDelay:
		return fault.Field(path+".delay_ms", "must be 0 to %d", maxDelay.Milliseconds())
	}
	return nil
}

// AnswerError tells everything in the answers of blocks that Kakao would refuse or not show.
type AnswerError struct{ Problems []fault.Error }

func (e *AnswerError) Error() string {
	text := e.Problems[0].Field + " " + e.Problems[0].Message
	if more := len(e.Problems) - 1; more > 0 {
		text += fmt.Sprintf(", and %d more", more)
	}
	return text
}

// Unwrap makes the first problem the one that callers see.
func (e *AnswerError) Unwrap() error { return &e.Problems[0] }

// checkAnswer reads a template and returns it as it is stored, or what is wrong with it.
func checkAnswer(path string, raw json.RawMessage) (json.RawMessage, []fault.Error) {
	wrong := func(path, format string, args ...any) []fault.Error {
		return []fault.Error{*fault.Field(path, format, args...)}
	}
	var template kakao.Template
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&template); err != nil {
		return nil, wrong(path, "is not the template of a skill response: %s", plainJSONError(err))
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, wrong(path, "holds more than one template")
	}
	var problems []fault.Error
	for _, p := range kakao.LintTemplate(template) {
		problems = append(problems, wrong(path+strings.TrimPrefix(p.Path, "template"), "%s", p.Message)...)
	}
	text, err := json.Marshal(template)
	if err != nil {
		return nil, wrong(path, "cannot be written as JSON")
	}
	return text, problems
}

// plainJSONError says what is wrong without the names of Go types.
func plainJSONError(err error) string {
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) {
		return fmt.Sprintf("%s must not be a %s", kind.Field, kind.Value)
	}
	return strings.TrimPrefix(err.Error(), "json: ")
}
