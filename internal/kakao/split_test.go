package kakao

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// splittable are objects that are hard to take apart.
var splittable = []string{
	`{}`, ` { } `, "{\n\t\"a\" :\r 1 , \"b\":[ ] }", `{"a":{"b":[1,{"c":"}"}],"d":"\"{"},"e":null}`, `{"a":1,"a":"zwei","A":3}`,
	`{"a\u0062":1,"ab":2}`, `{"ab":2,"a\u0062":1}`, `{"":[],"\\":"\\\\","é":"\ud800"}`, `{"a":-1.5e+10,"b":true,"c":false}`,
	"{\"a\xff\":\"\xff\"}", `{"a":"x","a":null}`, `{"a":[[],[1, 2 ,[3]],"],"], "b": {"x" : {} } }`, `[]`, `null`, `"{}"`, `{"a":}`, `{"a":1`, ``,
}

// likeEncodingJSON compares how a text is taken apart with how encoding/json reads it.
func likeEncodingJSON(t *testing.T, text []byte) {
	t.Helper()
	text = bytes.Trim(text, " \t\r\n")
	got := asObject(text)
	var want map[string]json.RawMessage
	if err := json.Unmarshal(text, &want); err != nil || want == nil {
		if got != nil {
			t.Fatalf("asObject(%q) = %v, want none", text, got)
		}
		return
	}
	if got == nil {
		t.Fatalf("asObject(%q) = nil, want %v", text, want)
	}
	fields := map[string]json.RawMessage{}
	for _, f := range got {
		fields[f.name()] = f.value
	}
	if diff := cmp.Diff(want, fields); diff != "" {
		t.Fatalf("asObject(%q) (-want +got):\n%s", text, diff)
	}
	for name, value := range want {
		if usable := !strings.ContainsAny(name, "\\\"\ufffd"); usable && string(got.value(name)) != string(value) {
			t.Errorf("value(%q) of %q = %s, want %s", name, text, got.value(name), value)
		}
		var said string
		if startsWith(value, '"') {
			if err := json.Unmarshal(value, &said); err != nil || scalar(value) != said {
				t.Errorf("scalar(%s) = %q, want %q", value, scalar(value), said)
			}
		}
		var items []json.RawMessage
		if startsWith(value, '[') {
			if err := json.Unmarshal(value, &items); err != nil || !cmp.Equal(itemsOf(value), items) {
				t.Errorf("itemsOf(%s) = %s, want %s", value, itemsOf(value), items)
			}
		}
		if startsWith(value, '{') {
			likeEncodingJSON(t, value)
		}
	}
}

func TestAsObject(t *testing.T) {
	for _, text := range splittable {
		likeEncodingJSON(t, []byte(text))
	}
}

func FuzzAsObject(f *testing.F) {
	for _, text := range splittable {
		f.Add([]byte(text))
	}
	f.Fuzz(likeEncodingJSON)
}

func BenchmarkParseSkillRequest(b *testing.B) {
	body := []byte(`{"bot":{"id":"66a1","name":"한빛서점 도우미"},"intent":{"id":"66a1f3a9d4b7e83f5a9c1d44","name":"폴백 블록"},` +
		`"action":{"id":"66a1f2b7d4b7e83f5a9c1d3a","name":"말길","params":{},"detailParams":{},"clientExtra":{}},` +
		`"userRequest":{"timezone":"Asia/Seoul","lang":"ko","utterance":"영업시간","params":{"surface":"Kakaotalk.plusfriend"},` +
		`"block":{"id":"66a1f3a9d4b7e83f5a9c1d44","name":"폴백 블록"},"user":{"id":"speaker-1","type":"botUserKey",` +
		`"properties":{"botUserKey":"speaker-1","plusfriendUserKey":"Zk3-aQ91LmPd","isFriend":true}}},"contexts":[]}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseSkillRequest(body); err != nil {
			b.Fatal(err)
		}
	}
}
