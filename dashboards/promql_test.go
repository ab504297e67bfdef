package dashboards

import (
	"slices"
	"strings"
	"testing"
	"unicode"
)

// selectors is what a PromQL expression takes: the names of metrics, and the labels that it
// selects and groups by. It reads enough of the language for that, and promtool judges the rest.
type selectors struct{ metrics, labels []string }

var (
	operators = []string{"and", "or", "unless", "bool", "offset", "atan2", "inf", "nan", "start", "end"}
	groupings = []string{"by", "without", "on", "ignoring", "group_left", "group_right"}
)

func readPromQL(expr string) selectors {
	var found selectors
	p := &scanner{text: expr}
	for p.more() {
		switch c := p.peek(); {
		case c == '{':
			found.labels = append(found.labels, p.matchers()...)
		case c == '[':
			p.until(']')
		case c == '"' || c == '\'' || c == '`':
			p.quoted()
		case c >= '0' && c <= '9':
			p.while(func(r rune) bool { return isWord(r) || r == '.' })
		case isWord(rune(c)):
			word := p.while(isWord)
			p.while(unicode.IsSpace)
			called := p.more() && p.peek() == '('
			switch {
			case called && slices.Contains(groupings, word):
				list := strings.Trim(p.until(')'), "()")
				for name := range strings.SplitSeq(list, ",") {
					if name = strings.TrimSpace(name); name != "" {
						found.labels = append(found.labels, name)
					}
				}
			case slices.Contains(groupings, word), slices.Contains(operators, strings.ToLower(word)), called:
			case slices.Contains([]string{"by", "without"}, p.nextWord()): // sum by (x) (…)
			default:
				found.metrics = append(found.metrics, word)
			}
		default:
			p.at++
		}
	}
	return found
}

func isWord(r rune) bool {
	return r == '_' || r == ':' || r < 128 && (unicode.IsLetter(r) || unicode.IsDigit(r))
}

// scanner reads an expression from left to right.
type scanner struct {
	text string
	at   int
}

func (s *scanner) more() bool { return s.at < len(s.text) }
func (s *scanner) peek() byte { return s.text[s.at] }

func (s *scanner) while(ok func(rune) bool) string {
	from := s.at
	for s.more() && ok(rune(s.peek())) {
		s.at++
	}
	return s.text[from:s.at]
}

func (s *scanner) nextWord() string {
	ahead := &scanner{text: s.text, at: s.at}
	return ahead.while(isWord)
}

// until reads up to and with a closing sign.
func (s *scanner) until(end byte) string {
	from := s.at
	for s.more() && s.peek() != end {
		s.at++
	}
	s.at = min(s.at+1, len(s.text))
	return s.text[from:s.at]
}

func (s *scanner) quoted() {
	quote := s.peek()
	for s.at++; s.more() && s.peek() != quote; s.at++ {
		if s.peek() == '\\' {
			s.at++
		}
	}
	s.at = min(s.at+1, len(s.text))
}

// matchers reads {a="b", c=~"d"} and returns the labels.
func (s *scanner) matchers() []string {
	var names []string
	s.at++
	for s.more() && s.peek() != '}' {
		switch c := s.peek(); {
		case c == '"' || c == '\'' || c == '`':
			s.quoted()
		case isWord(rune(c)):
			names = append(names, s.while(isWord))
		default:
			s.at++
		}
	}
	s.at = min(s.at+1, len(s.text))
	return names
}

func TestReadPromQL(t *testing.T) {
	tests := map[string]struct {
		expr            string
		metrics, labels []string
	}{
		"a metric":           {`malgil_up`, []string{"malgil_up"}, nil},
		"with matchers":      {`a{b="c{d}", e=~"f|g"}`, []string{"a"}, []string{"b", "e"}},
		"a rate":             {`rate(a_total[5m])`, []string{"a_total"}, nil},
		"grouped before":     {`sum by (x, y) (rate(a_total{z="1"}[$__rate_interval]))`, []string{"a_total"}, []string{"x", "y", "z"}},
		"grouped after":      {`sum(a) by (x)`, []string{"a"}, []string{"x"}},
		"a quantile":         {`histogram_quantile(0.95, sum by (le) (rate(a_bucket[1h])))`, []string{"a_bucket"}, []string{"le"}},
		"two joined":         {`a / on (x) group_left (y) b > 1e3`, []string{"a", "b"}, []string{"x", "y"}},
		"operators":          {`a and b or c unless d`, []string{"a", "b", "c", "d"}, nil},
		"an offset":          {`a offset 5m`, []string{"a"}, nil},
		"numbers and time":   {`time() - a > 120`, []string{"a"}, nil},
		"absent":             {`absent(a{loop="dispatch"})`, []string{"a"}, []string{"loop"}},
		"several lines":      {"sum(a)\n  / (sum(b) > 0)", []string{"a", "b"}, nil},
		"a word in a string": {`label_replace(a, "x", "$1", "y", "by (z)")`, []string{"a"}, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := readPromQL(tt.expr)
			if !slices.Equal(got.metrics, tt.metrics) || !slices.Equal(got.labels, tt.labels) {
				t.Errorf("readPromQL(%s) = %v, want metrics %v, labels %v", tt.expr, got, tt.metrics, tt.labels)
			}
		})
	}
}
