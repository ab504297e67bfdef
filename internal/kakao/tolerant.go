package kakao

import (
	"bytes"
	"encoding/json"
)

// object reads a JSON object whose fields may be missing, null or of another type than
// promised. A nil object answers zero values.
type object map[string]json.RawMessage

// asObject returns nil for anything that is no object.
func asObject(raw json.RawMessage) object {
	if !startsWith(raw, '{') {
		return nil
	}
	var o object
	if json.Unmarshal(raw, &o) != nil {
		return nil
	}
	return o
}

func (o object) object(name string) object { return asObject(o[name]) }

// text returns a string as it is, a number or boolean as its literal, "" for all else.
func (o object) text(name string) string { return scalar(o[name]) }

func (o object) named(name string) Named {
	thing := o.object(name)
	return Named{ID: thing.text("id"), Name: thing.text("name")}
}

// list returns nil for anything that is no array.
func (o object) list(name string) []json.RawMessage {
	raw := o[name]
	if !startsWith(raw, '[') {
		return nil
	}
	var items []json.RawMessage
	if json.Unmarshal(raw, &items) != nil {
		return nil
	}
	return items
}

// texts returns a map with every value as text: objects and arrays as JSON, null left out.
// It is nil for anything that is no object, and for an empty one.
func (o object) texts(name string) map[string]string {
	fields := o.object(name)
	if len(fields) == 0 {
		return nil
	}
	all := make(map[string]string, len(fields))
	for key, raw := range fields {
		if string(raw) != "null" {
			all[key] = anyText(raw)
		}
	}
	return all
}

func scalar(raw json.RawMessage) string {
	switch {
	case len(raw) == 0, raw[0] == '{', raw[0] == '[', raw[0] == 'n':
		return ""
	case raw[0] == '"':
		var s string
		if json.Unmarshal(raw, &s) != nil {
			return ""
		}
		return s
	}
	return string(raw)
}

func anyText(raw json.RawMessage) string {
	if startsWith(raw, '{') || startsWith(raw, '[') {
		var compact bytes.Buffer
		if json.Compact(&compact, raw) != nil {
			return ""
		}
		return compact.String()
	}
	return scalar(raw)
}

// startsWith looks at the first byte: a RawMessage of encoding/json has no leading space.
func startsWith(raw json.RawMessage, c byte) bool { return len(raw) > 0 && raw[0] == c }

// deeperThan reports whether objects and arrays nest deeper than limit. It looks at brackets
// outside strings only, so that nothing is decoded before the answer is known.
func deeperThan(body []byte, limit int) bool {
	depth, inString := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			if depth++; depth > limit {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

// ValueText returns a value as text: that of an object which wraps one, as extracted values may come,
// and everything else as it is; "" for null.
func ValueText(raw json.RawMessage) string {
	if wrapped := asObject(raw); wrapped != nil {
		for _, name := range []string{"resolvedValue", "value"} {
			if text := wrapped.text(name); text != "" {
				return text
			}
		}
	}
	return anyText(raw)
}
