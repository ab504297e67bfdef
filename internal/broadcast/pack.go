package broadcast

import (
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"
)

// appendPeople appends people as [json.Marshal] writes them, several times as fast: packing is most of
// what an upload of millions does.
func appendPeople(to []byte, people []Recipient) []byte {
	to = append(to, '[')
	var keys []string // of one after the other
	for i, p := range people {
		if i > 0 {
			to = append(to, ',')
		}
		to = appendText(append(to, `{"type":`...), p.Type)
		to = appendText(append(to, `,"id":`...), p.ID)
		if len(p.Properties) > 0 {
			to = append(to, `,"properties":{`...)
			first := true
			keys = sortedKeys(keys[:0], p.Properties)
			for _, key := range keys {
				if !first {
					to = append(to, ',')
				}
				first = false
				to = append(appendText(to, key), ':')
				to = appendText(to, p.Properties[key])
			}
			to = append(to, '}')
		}
		to = append(to, '}')
	}
	return append(to, ']')
}

// PackPeople writes people as a chunk keeps them: the JSON array of [Packed].
func PackPeople(people []Recipient) string { return string(appendPeople(nil, people)) }

func sortedKeys(keys []string, m map[string]string) []string {
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// appendText appends a text in quotes: as it is, where JSON has it so.
func appendText(to []byte, text string) []byte {
	for i := 0; i < len(text); i++ {
		if c := text[i]; !asItIs[c] && (c < utf8.RuneSelf || !korean(text[i:], &i)) {
			quoted, _ := json.Marshal(text) // a text always encodes
			return append(to, quoted...)
		}
	}
	return append(append(append(to, '"'), text...), '"')
}

// asItIs are the bytes of ASCII that [json.Marshal] writes as they are.
var asItIs = func() (is [256]bool) {
	for c := byte(' '); c < utf8.RuneSelf; c++ {
		is[c] = !strings.ContainsRune(`"\<>&`, rune(c))
	}
	return is
}()

// korean passes over a letter of Hangul, which is most of what is not ASCII here.
func korean(text string, at *int) bool {
	r, size := utf8.DecodeRuneInString(text)
	*at += size - 1
	return r >= '가' && r <= '힣'
}
