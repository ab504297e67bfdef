package word_test

import (
	"strings"
	"testing"

	"github.com/malgil/malgil/internal/word"
)

func TestText(t *testing.T) {
	values := map[string]string{"name": "김하늘", "empty": "", "raw": "#{name}", "큰 이름": "x"}
	tests := map[string]struct{ text, want, missing string }{
		"no words":                       {"겨울 세일", "겨울 세일", ""},
		"nothing":                        {"", "", ""},
		"a word":                         {"#{name}님, 안녕하세요", "김하늘님, 안녕하세요", ""},
		"spaces around a name":           {"#{ name }", "김하늘", ""},
		"a name with spaces":             {"#{큰 이름}", "x", ""},
		"a default that is not needed":   {"#{name|고객}님", "김하늘님", ""},
		"a default":                      {"#{other|고객}님", "고객님", ""},
		"an empty value has its default": {"#{empty|고객}님", "고객님", ""},
		"an empty default":               {"[#{other|}]", "[]", ""},
		"a bar in a default":             {"#{other|a|b}", "a|b", ""},
		"two, the second missing":        {"#{name} #{other}", "", "other"},
		"an empty value is missing":      {"#{empty}", "", "empty"},
		"what is filled in is text":      {"<#{raw}>", "<#{name}>", ""},
		"literally":                      {"#{{name} #{name}", "#{name} 김하늘", ""},
		"a brace behind it":              {"#{{{", "#{{", ""},
		"a hash before it":               {"##{name}", "#김하늘", ""},
		"braces and hashes alone":        {"#1 {a} # {b}", "#1 {a} # {b}", ""},
		"at both ends":                   {"#{name}#{name}", "김하늘김하늘", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			parsed, wrong := word.Parse(tt.text)
			if wrong != "" {
				t.Fatalf("Parse(%q): %s", tt.text, wrong)
			}
			got, missing := parsed.Fill(func(name string) string { return values[name] })
			if got != tt.want || missing != tt.missing {
				t.Errorf("Fill(%q) = %q, missing %q, want %q, %q", tt.text, got, missing, tt.want, tt.missing)
			}
		})
	}
}

func TestParse_wrong(t *testing.T) {
	for text, want := range map[string]string{
		"#{name":                              "has #{ without }",
		"a #{":                                "has #{ without }",
		"#{a #{b}":                            "has #{ without }",
		"#{}":                                 "is empty",
		"#{ |x}":                              "is empty",
		"#{a#b}":                              "must be without",
		"#{a\nb}":                             "must be without",
		"#{" + strings.Repeat("가", 101) + "}": "at most 100 characters",
	} {
		if _, wrong := word.Parse(text); !strings.Contains(wrong, want) {
			t.Errorf("Parse(%q): %q, want a word about %q", text, wrong, want)
		}
	}
}
