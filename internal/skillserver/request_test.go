package skillserver

import (
	"encoding/json"
	"testing"

	"github.com/malgil/malgil/internal/scenario"
)

func TestBodyOf(t *testing.T) {
	tests := map[string]struct {
		in     string
		params map[string]string
		want   string
	}{
		"without a callback":  {in: `{"userRequest":{"utterance":"안녕"}}`, want: `{"userRequest":{"utterance":"안녕"}}`},
		"the only member":     {in: `{"userRequest":{"callbackUrl":"x"}}`, want: `{"userRequest":{}}`},
		"the first":           {in: `{"userRequest":{"callbackUrl":"x","a":1}}`, want: `{"userRequest":{"a":1}}`},
		"in the middle":       {in: `{"userRequest":{"a":1,"callbackUrl":"x","b":2}}`, want: `{"userRequest":{"a":1,"b":2}}`},
		"the last":            {in: `{"userRequest":{"a":1,"callbackUrl":"x"}}`, want: `{"userRequest":{"a":1}}`},
		"twice":               {in: `{"userRequest":{"callbackUrl":"x","callbackUrl":null,"a":1}}`, want: `{"userRequest":{"a":1}}`},
		"its name in escapes": {in: `{"userRequest":{"a":1,"callb\u0061ckUrl":"x"}}`, want: `{"userRequest":{"a":1}}`},
		"an object as one":    {in: `{"userRequest":{"callbackUrl":{"a":["]}"]},"b":2}}`, want: `{"userRequest":{"b":2}}`},
		"elsewhere it stays":  {in: `{"callbackUrl":"x","userRequest":{"params":{"callbackUrl":"y"}}}`, want: `{"callbackUrl":"x","userRequest":{"params":{"callbackUrl":"y"}}}`},
		"no object":           {in: `{"userRequest":["callbackUrl"],"contexts":null}`, want: `{"userRequest":["callbackUrl"],"contexts":null}`},
		"a byte order mark":   {in: "\ufeff{}", want: `{}`},
		"space, numbers, escapes, unknown and repeated names stay": {
			in:   "{ \"new\" : [ 1.0 , 1e3,12345678901234567890 ],\n\t\"userRequest\" : { \"callbackUrl\" : \"x\" , \"utterance\" : \"\\u3131<&>\\\"}\" } , \"new\" : -0.10 }\n",
			want: "{ \"new\" : [ 1.0 , 1e3,12345678901234567890 ],\n\t\"userRequest\" : { \"utterance\" : \"\\u3131<&>\\\"}\" } , \"new\" : -0.10 }\n",
		},
		"asked values": {
			in:     `{"action":{"id":"a","params":{"b":"kept","date":"old"},"detailParams":{},"clientExtra":null}}`,
			params: map[string]string{"date": `내일 "낮"`, "count": "2"},
			want: `{"action":{"id":"a","params":{"b":"kept","count":"2","date":"내일 \"낮\""},"detailParams":{"count":{"groupName":"","origin":"2","value":"2"},` +
				`"date":{"groupName":"","origin":"내일 \"낮\"","value":"내일 \"낮\""}},"clientExtra":null}}`,
		},
		"asked values, and nowhere to put them": {
			in: `{"action":null}`, params: map[string]string{"n": "1"},
			want: `{"action":{"params":{"n":"1"},"detailParams":{"n":{"groupName":"","origin":"1","value":"1"}}}}`,
		},
		"asked values, and no action": {
			in: `{ }`, params: map[string]string{"n": "1"},
			want: `{ "action":{"params":{"n":"1"},"detailParams":{"n":{"groupName":"","origin":"1","value":"1"}}}}`,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			in := []byte(tt.in)
			got, err := bodyOf(scenario.BackendCall{Request: in, Params: tt.params})
			if err != nil || string(got) != tt.want {
				t.Errorf("bodyOf(%s) = %s, %v, want %s", tt.in, got, err, tt.want)
			}
			if string(in) != tt.in {
				t.Errorf("bodyOf changed what it was given to %s", in)
			}
		})
	}
	for _, bad := range []string{"", "null", "[]", `{"a":`} {
		if got, err := bodyOf(scenario.BackendCall{Request: []byte(bad)}); err == nil {
			t.Errorf("bodyOf(%q) = %s, want an error", bad, got)
		}
	}
}

func FuzzBodyOf(f *testing.F) {
	for _, seed := range []string{`{"userRequest":{"callbackUrl":"x","a":[{}]}}`, `{"a":1, "userRequest" : {"b":"\\\"", "callbackUrl":"x" }}`, `{}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := bodyOf(scenario.BackendCall{Request: []byte(text), Params: map[string]string{"k": "v"}})
		if err != nil {
			return
		}
		var out map[string]json.RawMessage
		if err := json.Unmarshal(got, &out); err != nil {
			t.Fatalf("bodyOf(%q) = %q, which is no JSON: %v", text, got, err)
		}
		var said map[string]json.RawMessage
		if json.Unmarshal(out["userRequest"], &said) == nil && said["callbackUrl"] != nil {
			t.Fatalf("bodyOf(%q) = %q, which has the callback URL", text, got)
		}
	})
}

func TestAddressOf(t *testing.T) {
	tests := map[string]struct{ url, path, want string }{
		"the server alone":      {"https://a.example/skill?key=1", "", "https://a.example/skill?key=1"},
		"with a path":           {"https://a.example", "orders", "https://a.example/orders"},
		"with slashes":          {"https://a.example/skill/", "/orders", "https://a.example/skill/orders"},
		"both with a query":     {"https://a.example/skill?key=1", "/orders?late=1", "https://a.example/skill/orders?key=1&late=1"},
		"a path with a query":   {"https://a.example/skill", "?late=1", "https://a.example/skill/?late=1"},
		"in Korean":             {"https://a.example", "주문", "https://a.example/%EC%A3%BC%EB%AC%B8"},
		"no host in the path":   {"https://a.example", "//evil.example/x", "https://a.example/evil.example/x"},
		"nor a whole address":   {"https://a.example", "https://evil.example", "https://a.example/https:/evil.example"},
		"what is escaped stays": {"https://a.example", "a%2Fb", "https://a.example/a%2Fb"},
	}
	for name, tt := range tests {
		got, err := addressOf(scenario.Server{URL: tt.url}, scenario.Webhook{Path: tt.path})
		if err != nil || got != tt.want {
			t.Errorf("%s: addressOf(%s, %s) = %s, %v, want %s", name, tt.url, tt.path, got, err, tt.want)
		}
	}
	if got, err := addressOf(scenario.Server{URL: "https://a.example"}, scenario.Webhook{Path: "%zz"}); err == nil {
		t.Errorf("addressOf(%%zz) = %s, want an error", got)
	}
}
