package skillserver

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/scenario"
)

// bodyOf is what a server is posted: Kakao's body as it came, without the callback URL, which is ours
// to answer, and with values of our own asks among the parameters of the action. Everything else stays
// as it is written, known or not: order, spelling of numbers, repeated names.
func bodyOf(call scenario.BackendCall) ([]byte, error) {
	body := bytes.TrimPrefix(call.Request, []byte("\ufeff"))
	if !json.Valid(body) || !isObject(body) {
		return nil, fault.New(fault.Internal, "Kakao's body is not a JSON object")
	}
	body = edit(body, func(name string, value []byte) ([]byte, bool) {
		if name != "userRequest" || !isObject(value) {
			return value, true
		}
		return edit(value, func(name string, value []byte) ([]byte, bool) { return value, name != "callbackUrl" }), true
	})
	if len(call.Params) == 0 {
		return body, nil
	}
	return within(body, "action", func(action []byte) []byte {
		action = within(action, "params", func(params []byte) []byte { return put(params, call.Params, quoted) })
		return within(action, "detailParams", func(params []byte) []byte {
			return put(params, call.Params, func(value string) []byte {
				return slices.Concat([]byte(`{"groupName":"","origin":`), quoted(value), []byte(`,"value":`), quoted(value), []byte(`}`))
			})
		})
	}), nil
}

// within changes a member of an object, which is made when it is not there or no object.
func within(object []byte, member string, change func([]byte) []byte) []byte {
	found := false
	object = edit(object, func(name string, value []byte) ([]byte, bool) {
		if name != member {
			return value, true
		}
		found = true
		if !isObject(value) {
			value = []byte(`{}`)
		}
		return change(value), true
	})
	if found {
		return object
	}
	return add(object, member, change([]byte(`{}`)))
}

// put sets members of an object, in the order of their names behind the others.
func put(object []byte, values map[string]string, encode func(string) []byte) []byte {
	object = edit(object, func(name string, value []byte) ([]byte, bool) {
		_, ours := values[name]
		return value, !ours
	})
	for _, name := range slices.Sorted(maps.Keys(values)) {
		object = add(object, name, encode(values[name]))
	}
	return object
}

// add puts a member behind the others of an object.
func add(object []byte, name string, value []byte) []byte {
	end := bytes.LastIndexByte(object, '}')
	member := slices.Concat(quoted(name), []byte(":"), value)
	if len(bytes.TrimSpace(object[bytes.IndexByte(object, '{')+1:end])) > 0 {
		member = slices.Concat([]byte(","), member)
	}
	return slices.Concat(object[:end], member, object[end:])
}

// quoted is a text as JSON, and its characters as they are.
func quoted(text string) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(text) // no string fails
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

func isObject(value []byte) bool {
	value = bytes.TrimLeft(value, space)
	return len(value) > 0 && value[0] == '{'
}

// space is what may stand between the words of JSON.
const space = " \t\r\n"

// edit asks of each member of an object what its value is to be and whether it stays. All else of
// the object's text is left as it is. The object is valid JSON.
func edit(object []byte, member func(name string, value []byte) (changed []byte, stays bool)) []byte {
	start := bytes.IndexByte(object, '{') + 1
	out := append(make([]byte, 0, len(object)), object[:start]...)
	first := true
	for at := start; ; {
		from := at
		at = skipSpace(object, at)
		if object[at] == '}' { // of an object without members
			return append(out, object[from:]...)
		}
		nameEnd := skipValue(object, at)
		var name string
		_ = json.Unmarshal(object[at:nameEnd], &name) // it is valid
		valueAt := skipSpace(object, skipSpace(object, nameEnd)+1)
		valueEnd := skipValue(object, valueAt)
		end := skipSpace(object, valueEnd)
		if value, stays := member(name, object[valueAt:valueEnd]); stays {
			if !first {
				out = append(out, ',')
			}
			first = false
			out = append(append(append(out, object[from:valueAt]...), value...), object[valueEnd:end]...)
		}
		if object[end] == '}' {
			return append(out, object[end:]...)
		}
		at = end + 1 // behind the comma
	}
}

func skipSpace(text []byte, at int) int {
	for strings.IndexByte(space, text[at]) >= 0 {
		at++
	}
	return at
}

// skipValue returns where a value ends that begins at a place of a valid text.
func skipValue(text []byte, at int) int {
	depth := 0
	for ; at < len(text); at++ {
		switch c := text[at]; c {
		case '"':
			for at++; text[at] != '"'; at++ {
				if text[at] == '\\' {
					at++
				}
			}
			if depth == 0 {
				return at + 1
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 { // behind a number or a word
				return at
			}
			if depth--; depth == 0 {
				return at + 1
			}
		case ',', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return at
			}
		}
	}
	return at
}

// addressOf joins the path of a webhook to the address of its server; both may have a query.
func addressOf(server scenario.Server, webhook scenario.Webhook) (string, error) {
	if webhook.Path == "" {
		return server.URL, nil
	}
	base, err := url.Parse(server.URL)
	if err != nil {
		return "", fault.New(fault.Refused, "the address of server %q is not a URL", server.Name)
	}
	path, err := url.Parse("/" + strings.TrimLeft(webhook.Path, "/"))
	if err != nil {
		return "", fault.New(fault.Refused, "the path of the webhook is not one of a URL")
	}
	joined := base.JoinPath(path.EscapedPath())
	if path.RawQuery != "" {
		joined.RawQuery = strings.TrimPrefix(base.RawQuery+"&"+path.RawQuery, "&")
	}
	return joined.String(), nil
}
