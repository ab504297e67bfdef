package kakao

import (
	"bytes"
	"encoding/json"
)

// object is a JSON object whose fields may be missing, null or of another type than
// promised. A nil object answers zero values. It is part of what it was read from, which was checked
// as a whole once: reading it field by field copies and checks nothing again.
type object []field

type field struct {
	quoted json.RawMessage // its name, as it is written
	value  json.RawMessage
}

func (f field) name() string { return unquoted(f.quoted) }

// is compares the name of a field with one of ours, which has no characters to escape.
func (f field) is(name string) bool {
	if len(f.quoted) == len(name)+2 && string(f.quoted[1:len(f.quoted)-1]) == name {
		return true
	}
	return bytes.IndexByte(f.quoted, '\\') >= 0 && f.name() == name
}

// asObject returns nil for anything that is no object.
func asObject(raw json.RawMessage) object {
	if !startsWith(raw, '{') || !json.Valid(raw) {
		return nil
	}
	return fieldsOf(raw)
}

// value returns nil for a field that is missing. Of several of a name the last one counts.
func (o object) value(name string) json.RawMessage {
	for i := len(o) - 1; i >= 0; i-- {
		if o[i].is(name) {
			return o[i].value
		}
	}
	return nil
}

func (o object) object(name string) object { return fieldsOf(o.value(name)) }

// text returns a string as it is, a number or boolean as its literal, "" for all else.
func (o object) text(name string) string { return scalar(o.value(name)) }

func (o object) named(name string) Named {
	thing := o.object(name)
	return Named{ID: thing.text("id"), Name: thing.text("name")}
}

// list returns nil for anything that is no array.
func (o object) list(name string) []json.RawMessage { return itemsOf(o.value(name)) }

// texts returns a map with every value as text: objects and arrays as JSON, null left out.
// It is nil for anything that is no object, and for an empty one.
func (o object) texts(name string) map[string]string {
	fields := o.object(name)
	if len(fields) == 0 {
		return nil
	}
	all := make(map[string]string, len(fields))
	for _, f := range fields {
		if string(f.value) == "null" {
			delete(all, f.name()) // the last one of a name counts
			continue
		}
		all[f.name()] = anyText(f.value)
	}
	return all
}

func scalar(raw json.RawMessage) string {
	switch {
	case len(raw) == 0, raw[0] == '{', raw[0] == '[', raw[0] == 'n':
		return ""
	case raw[0] == '"':
		return unquoted(raw)
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
