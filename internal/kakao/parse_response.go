package kakao

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"github.com/malgil/malgil/internal/fault"
)

// ParseSkillResponse reads what a skill server answers, as far as it is known here: version, template,
// context, data and useCallback. Numbers in data and extra stay as they are written. What is no JSON
// object, nests deeper than [MaxDepth], or has a field of a type that Kakao does not read is Invalid; the
// error names the field and quotes nothing. Whether Kakao would show it is for [Lint] to say.
func ParseSkillResponse(body []byte) (r SkillResponse, err error) {
	body = bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\ufeff")))
	switch {
	case len(body) == 0:
		return r, fault.New(fault.Invalid, "it is empty")
	case body[0] != '{':
		return r, fault.New(fault.Invalid, "it is not a JSON object")
	case deeperThan(body, MaxDepth):
		return r, fault.New(fault.Invalid, "it nests deeper than %d levels", MaxDepth)
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	if err = decoder.Decode(&r); err == nil {
		if _, more := decoder.Token(); more != io.EOF {
			return SkillResponse{}, fault.New(fault.Invalid, "something follows its JSON object")
		}
		return r, nil
	}
	var mistyped *json.UnmarshalTypeError
	if errors.As(err, &mistyped) && mistyped.Field != "" {
		is, _, _ := strings.Cut(mistyped.Value, " ") // a number is quoted behind the word
		return SkillResponse{}, fault.New(fault.Invalid, "%s cannot be read from a JSON %s", mistyped.Field, is)
	}
	if json.Valid(body) { // a carousel of no known type
		return SkillResponse{}, fault.New(fault.Invalid, "its template is none of skill version 2.0")
	}
	return SkillResponse{}, fault.New(fault.Invalid, "it is not JSON")
}

// UnmarshalJSON also reads params that are no text, and keeps their JSON as text, as Kakao does.
func (v *ContextValue) UnmarshalJSON(data []byte) error {
	type plain ContextValue
	raw := struct {
		*plain
		Params json.RawMessage `json:"params"`
	}{plain: (*plain)(v)}
	if err := json.Unmarshal(data, &raw); err != nil {
		return err
	}
	if raw.Params != nil {
		v.Params = object{{quoted: json.RawMessage(`"params"`), value: raw.Params}}.texts("params")
	}
	return nil
}
