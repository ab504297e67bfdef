package kakao

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
)

// What is here takes valid JSON apart, without a look at what is inside of its parts. It makes no copies.

const usualFields = 4 // of an object of Kakao's that has any

// fieldsOf returns the fields of an object in their order, and nil for anything else.
func fieldsOf(raw json.RawMessage) object {
	if !startsWith(raw, '{') {
		return nil
	}
	all := object{}
	for i := afterSpace(raw, 1); i < len(raw) && raw[i] != '}'; {
		end := afterValue(raw, i)
		name := raw[i:end]
		i = afterSpace(raw, afterSpace(raw, end)+1) // a colon is between
		end = afterValue(raw, i)
		if len(all) == 0 {
			all = make(object, 0, usualFields)
		}
		all = append(all, field{name, raw[i:end:end]})
		i = afterComma(raw, end)
	}
	return all
}

// itemsOf returns the items of an array, and nil for anything else.
func itemsOf(raw json.RawMessage) []json.RawMessage {
	if !startsWith(raw, '[') {
		return nil
	}
	all := []json.RawMessage{}
	for i := afterSpace(raw, 1); i < len(raw) && raw[i] != ']'; {
		end := afterValue(raw, i)
		all = append(all, raw[i:end:end])
		i = afterComma(raw, end)
	}
	return all
}

// unquoted returns what a JSON string says.
func unquoted(raw json.RawMessage) string {
	if len(raw) < 2 {
		return ""
	}
	if said := raw[1 : len(raw)-1]; bytes.IndexByte(said, '\\') < 0 && utf8.Valid(said) {
		return string(said)
	}
	var said string
	if json.Unmarshal(raw, &said) != nil {
		return ""
	}
	return said
}

// afterValue returns where the value that begins at i is over.
func afterValue(raw []byte, i int) int {
	depth := 0
	for ; i < len(raw); i++ {
		switch raw[i] {
		case '"':
			i = endOfString(raw, i)
		case '{', '[':
			depth++
			continue
		case '}', ']':
			depth--
		case ',', ':', ' ', '\t', '\r', '\n':
			continue // within an object or an array
		default: // a number or a word
			for i+1 < len(raw) && !isBetween(raw[i+1]) {
				i++
			}
		}
		if depth == 0 {
			return i + 1
		}
	}
	return len(raw)
}

// endOfString returns where the string that begins at i has its last quotation mark.
func endOfString(raw []byte, i int) int {
	for i++; i < len(raw); i++ {
		switch raw[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return len(raw) - 1
}

func isBetween(c byte) bool {
	return c == ',' || c == ':' || c == '}' || c == ']' || isSpace(c)
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

func afterSpace(raw []byte, i int) int {
	for i < len(raw) && isSpace(raw[i]) {
		i++
	}
	return i
}

// afterComma returns where what follows a value begins, or what encloses them ends.
func afterComma(raw []byte, i int) int {
	i = afterSpace(raw, i)
	if i < len(raw) && raw[i] == ',' {
		i = afterSpace(raw, i+1)
	}
	return i
}
