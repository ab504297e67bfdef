package kakao

import (
	"strings"
	"testing"

	"github.com/malgil/malgil/internal/fault"
)

func TestParseSkillResponse(t *testing.T) {
	tests := map[string]struct{ body, want string }{
		"a text":             {`{"version":"2.0","template":{"outputs":[{"simpleText":{"text":"네 <&>"}}]}}`, `{"version":"2.0","template":{"outputs":[{"simpleText":{"text":"네 <&>"}}]}}`},
		"a byte order mark":  {"\ufeff {\"version\":\"2.0\"}\n", `{"version":"2.0"}`},
		"unknown fields":     {`{"version":"2.0","new":[1],"template":{"outputs":[],"new":{}}}`, `{"version":"2.0","template":{"outputs":[]}}`},
		"no version":         {`{"template":{"outputs":[]}}`, `{"version":"","template":{"outputs":[]}}`},
		"data as it is":      {`{"version":"2.0","data":{"no":12345678901234567890,"price":1.50,"deep":{"a":[null,true]}}}`, `{"version":"2.0","data":{"deep":{"a":[null,true]},"no":12345678901234567890,"price":1.50}}`},
		"a context":          {`{"version":"2.0","context":{"values":[{"name":"o","lifeSpan":5,"ttl":600,"params":{"no":"HB-1"}}]}}`, `{"version":"2.0","context":{"values":[{"name":"o","lifeSpan":5,"ttl":600,"params":{"no":"HB-1"}}]}}`},
		"params of any type": {`{"version":"2.0","context":{"values":[{"name":"o","lifeSpan":0,"params":{"n":3,"is":true,"of":{"a": 1},"none":null}}]}}`, `{"version":"2.0","context":{"values":[{"name":"o","lifeSpan":0,"params":{"is":"true","n":"3","of":"{\"a\":1}"}}]}}`},
		"a discount misspelt": {`{"version":"2.0","template":{"outputs":[{"commerceCard":{"price":100,"dicountedPrice":90,"thumbnails":[]}}]}}`,
			`{"version":"2.0","template":{"outputs":[{"commerceCard":{"price":100,"discountedPrice":90,"thumbnails":[]}}]}}`},
		"a callback": {`{"version":"2.0","useCallback":true}`, `{"version":"2.0","useCallback":true}`},
	}
	for name, tt := range tests {
		r, err := ParseSkillResponse([]byte(tt.body))
		if err != nil {
			t.Errorf("%s: ParseSkillResponse(%s) error = %v", name, tt.body, err)
			continue
		}
		if got, err := r.JSON(); err != nil || string(got) != tt.want {
			t.Errorf("%s: ParseSkillResponse(%s) = %s, %v, want %s", name, tt.body, got, err, tt.want)
		}
	}
}

func TestParseSkillResponse_refuses(t *testing.T) {
	tests := map[string]struct{ body, says string }{
		"nothing":           {" \n", "it is empty"},
		"a page":            {"<html>secret</html>", "it is not a JSON object"},
		"a list":            {`["secret"]`, "it is not a JSON object"},
		"half of it":        {`{"version":"2.0","template":{"secret`, "it is not JSON"},
		"two":               {`{"version":"2.0"}{"secret":1}`, "something follows its JSON object"},
		"a number as text":  {`{"version":"2.0","template":{"outputs":[{"simpleText":{"text":12345}}]}}`, "template.outputs.simpleText.text cannot be read from a JSON number"},
		"a number, version": {`{"version":2.0}`, "version cannot be read from a JSON number"},
		"a price with a dot": {`{"version":"2.0","template":{"outputs":[{"commerceCard":{"price":"secret"}}]}}`,
			"cannot be read from a JSON string"},
		"an unknown carousel": {`{"version":"2.0","template":{"outputs":[{"carousel":{"type":"secret","items":[{}]}}]}}`, "its template is none of skill version 2.0"},
		"too deep":            {`{"data":` + strings.Repeat("[", 32) + strings.Repeat("]", 32) + `}`, "it nests deeper than 32 levels"},
	}
	for name, tt := range tests {
		_, err := ParseSkillResponse([]byte(tt.body))
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "12345") {
			t.Errorf("%s: ParseSkillResponse(%s) error = %v, want Invalid: %s", name, tt.body, err, tt.says)
		}
	}
}
