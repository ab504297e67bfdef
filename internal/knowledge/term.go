package knowledge

import (
	_ "embed"
	"sort"
	"strings"
)

//go:embed data/concepts.tsv
var conceptFile string

//go:embed data/stopwords.txt
var stopwordFile string

//go:embed data/endings.txt
var endingFile string

//go:embed data/slang.tsv
var slangFile string

var (
	slang     = map[string]string{}
	stopwords = map[string]bool{}
	endings   []string              // longest first
	concepts  = map[string]string{} // variant to id
	longest   = map[rune]int{}      // syllables of the longest variant that begins so
)

func lines(text string) []string {
	var all []string
	for _, line := range strings.Split(text, "\n") {
		if line = strings.TrimRight(line, "\r"); line != "" && !strings.HasPrefix(line, "#") {
			all = append(all, line)
		}
	}
	return all
}

func init() {
	for _, line := range lines(slangFile) {
		if from, to, ok := strings.Cut(line, "\t"); ok {
			slang[strings.TrimSpace(from)] = strings.TrimSpace(to)
		}
	}
	for _, line := range lines(stopwordFile) {
		stopwords[strings.TrimSpace(line)] = true
	}
	for _, line := range lines(endingFile) {
		if e := strings.TrimLeft(strings.TrimSpace(line), "-~ㄹㄴㅂㅁ"); e != "" {
			endings = append(endings, e)
		}
	}
	sort.Slice(endings, func(i, j int) bool {
		return len(endings[i]) > len(endings[j]) || len(endings[i]) == len(endings[j]) && endings[i] < endings[j]
	})
	for _, line := range lines(conceptFile) {
		cells := strings.Split(line, "\t")
		if len(cells) < 3 {
			continue
		}
		for _, variant := range strings.Split(cells[2], "|") {
			variant = strings.ToLower(strings.ReplaceAll(strings.TrimSpace(variant), " ", ""))
			if variant == "" {
				continue
			}
			concepts[variant] = cells[0]
			runes := []rune(variant)
			longest[runes[0]] = max(longest[runes[0]], len(runes))
		}
	}
}

// term is a part of a text that is about something.
type term struct {
	key     string // concept, with "#" before it, or stem
	surface string
	filler  bool
}

// stem takes endings and particles off a word.
func stem(word string) string {
	for range 3 {
		cut := false
		for _, e := range endings {
			if rest, ok := strings.CutSuffix(word, e); ok && len(rest) >= 3 { // a syllable
				if len(rest) < 6 && len(e) <= 3 { // one syllable left of two: a noun such as 주가 is rarely meant, keep it
					continue
				}
				word, cut = rest, true
				break
			}
		}
		if !cut {
			break
		}
	}
	return word
}

// termsOf takes a text apart into what it is about. near finds a known word that an unknown one may have been
// meant as; nil for none.
func termsOf(text string, near func(string) (string, bool)) []term {
	words := wordsOf(text)
	var flat []rune
	var at []int // word of each rune
	for n, word := range words {
		for _, r := range word {
			flat, at = append(flat, r), append(at, n)
		}
	}
	var terms []term
	var rest []rune
	from := -1
	flush := func() {
		if len(rest) == 0 {
			return
		}
		terms = append(terms, leftOver(string(rest), near)...)
		rest = rest[:0]
	}
	for i := 0; i < len(flat); {
		if id, n := conceptAt(flat[i:]); n > 0 {
			flush()
			terms = append(terms, term{key: "#" + id, surface: string(flat[i : i+n])})
			i += n
			from = -1
			continue
		}
		if from >= 0 && at[i] != from {
			flush()
		}
		from = at[i]
		rest = append(rest, flat[i])
		i++
	}
	flush()
	return terms
}

func conceptAt(text []rune) (id string, n int) {
	for n = min(longest[text[0]], len(text)); n > 0; n-- {
		if id, known := concepts[string(text[:n])]; known {
			return id, n
		}
	}
	return "", 0
}

// leftOver makes terms of a part of a word that is no concept.
func leftOver(word string, near func(string) (string, bool)) []term {
	s := stem(word)
	if stopwords[word] || stopwords[s] || isEnding(word) || isEnding(s) {
		return []term{{key: s, surface: word, filler: true}}
	}
	if near != nil {
		for _, try := range []string{s, word} {
			meant, ok := near(try)
			if !ok {
				continue
			}
			if id, known := concepts[meant]; known {
				return []term{{key: "#" + id, surface: word}}
			}
			return []term{{key: meant, surface: word}}
		}
	}
	return []term{{key: s, surface: word}}
}

func isEnding(word string) bool {
	for _, e := range endings {
		if e == word {
			return true
		}
	}
	return false
}
