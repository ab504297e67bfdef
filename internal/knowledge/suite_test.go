package knowledge

import (
	"encoding/csv"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
)

type pair struct{ said, want, kind string }

type trade struct {
	name  string
	index *Base
	pairs []pair
}

func rows(t testing.TB, path string) [][]string {
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(path, err)
	}
	return all[1:]
}

func suite(t testing.TB, folder string) (all []trade) {
	files, _ := filepath.Glob("testdata/" + folder + "/*-pairs.csv")
	for _, f := range files {
		tr := trade{name: strings.TrimSuffix(filepath.Base(f), "-pairs.csv")}
		var items []Item
		for _, r := range rows(t, "testdata/"+folder+"/"+tr.name+".csv") {
			items = append(items, Item{Categories: [4]string{r[0], r[1], r[2], r[3]}, Question: r[4], Answer: r[5]})
		}
		tr.index = New(items)
		for _, r := range rows(t, f) {
			tr.pairs = append(tr.pairs, pair{r[0], r[1], r[2]})
		}
		all = append(all, tr)
	}
	return all
}

func measure(t *testing.T, folder string, threshold int, tell bool) (precision, recall float64) {
	right, wrong, asked := 0, 0, 0
	kinds := map[string][2]int{}
	for _, tr := range suite(t, folder) {
		for _, p := range tr.pairs {
			got, score := "", 0
			found := tr.index.Match(p.said, 2)
			if len(found) > 0 && found[0].Score >= threshold {
				got = tr.index.items[found[0].Item].Question
			}
			if len(found) > 0 {
				score = found[0].Score
			}
			k := kinds[p.kind]
			k[1]++
			if p.want != "" {
				asked++
			}
			switch {
			case got == p.want:
				k[0]++
				if got != "" {
					right++
				}
			case got != "":
				wrong++
				if tell {
					t.Logf("WRONG %s [%s] %q → %q, want %q (%d) %v", tr.name, p.kind, p.said, got, p.want, score, show(p.said, tr.index))
				}
			default:
				if tell {
					best := ""
					if len(found) > 0 {
						best = tr.index.items[found[0].Item].Question
					}
					t.Logf("MISS %s [%s] %q, want %q, best %q (%d) %v", tr.name, p.kind, p.said, p.want, best, score, show(p.said, tr.index))
				}
			}
			kinds[p.kind] = k
		}
	}
	var names []string
	for k, n := range kinds {
		names = append(names, fmt.Sprintf("%s %d/%d", k, n[0], n[1]))
	}
	sort.Strings(names)
	precision, recall = float64(right)/float64(max(right+wrong, 1)), float64(right)/float64(asked)
	t.Logf("%s at %d: precision %.3f recall %.3f  %s", folder, threshold, precision, recall, strings.Join(names, ", "))
	return precision, recall
}

// TestSuite holds the level that the suites have reached. Nothing was tuned on suite b.
func TestSuite(t *testing.T) {
	for folder, want := range map[string]struct{ precision, recall float64 }{
		"a": {0.95, 0.77},
		"b": {0.92, 0.50},
		"c": {0.94, 0.74},
		"d": {0.92, 0.65},
		"e": {0.97, 0.66},
		"f": {0.95, 0.68},
		"g": {0.93, 0.62},
		"h": {0.95, 0.64},
	} {
		precision, recall := measure(t, folder, 70, os.Getenv("TELL") == folder)
		if precision < want.precision || recall < want.recall {
			t.Errorf("suite %s: precision %.3f, recall %.3f, want at least %.2f and %.2f", folder, precision, recall, want.precision, want.recall)
		}
	}
}

func TestMatch(t *testing.T) {
	b := New([]Item{{Question: "환불 되나요?", Answer: "네"}, {Question: "주차할 수 있나요?", Answer: "네"}})
	got := b.Match("주차 할 수 있나요", 3)
	if len(got) == 0 || got[0].Item != 1 || got[0].Score != 100 || len(got[0].Parts) == 0 {
		t.Errorf("Match(the question itself) = %+v, want item 1 with 100", got)
	}
	for _, empty := range []string{"", " ", "?", "👍", "ㅋㅋ"} {
		if got := b.Match(empty, 3); len(got) > 0 && got[0].Score >= 50 {
			t.Errorf("Match(%q) = %+v, want none", empty, got)
		}
	}
}

// TestFit fits the weights to a suite and prints them.
func TestFit(t *testing.T) {
	folder := os.Getenv("FIT")
	if folder == "" {
		return // only on demand
	}
	var data []sample
	for _, fo := range strings.Split(folder, ",") {
		for _, tr := range suite(t, fo) {
			for _, p := range tr.pairs {
				for rank, m := range tr.index.Match(p.said, 4) {
					s := sample{f: m.f, w: 1}
					if tr.index.items[m.Item].Question == p.want {
						s.y = 1
					} else if rank > 0 {
						s.w = 0.5
					}
					data = append(data, s)
				}
			}
		}
	}
	w := fit(data, weights)
	t.Logf("%d samples: %.3f", len(data), w)
}

type sample struct {
	f    features
	y, w float64
}

// fit finds the weights that tell right items from wrong ones best: logistic regression by Newton's method.
func fit(data []sample, w features) features {
	const ridge = 2.0 // keeps weights small that the data say little of
	for range 12 {
		var g features
		var h [size][size]float64
		for _, s := range data {
			z := 0.0
			for i := range w {
				z += w[i] * s.f[i]
			}
			p := 1 / (1 + math.Exp(-z))
			for i := range w {
				g[i] += s.w * (p - s.y) * s.f[i]
				for j := range w {
					h[i][j] += s.w * p * (1 - p) * s.f[i] * s.f[j]
				}
			}
		}
		for i := range w {
			h[i][i] += 1e-6
			if i != always {
				g[i] += ridge * w[i]
				h[i][i] += ridge
			}
		}
		for i, d := range solve(h, g) {
			w[i] -= d
		}
	}
	return w
}

// solve solves h·x = g.
func solve(h [size][size]float64, g features) features {
	for i := range h {
		for j := i + 1; j < size; j++ {
			m := h[j][i] / h[i][i]
			for k := i; k < size; k++ {
				h[j][k] -= m * h[i][k]
			}
			g[j] -= m * g[i]
		}
	}
	for i := size - 1; i >= 0; i-- {
		for k := i + 1; k < size; k++ {
			g[i] -= h[i][k] * g[k]
		}
		g[i] /= h[i][i]
	}
	return g
}

func show(s string, b *Base) string {
	var all []string
	names := [...]string{topic: "", ask: "?", setting: "@", polite: "♥", plain: "~", word: "word:", number: "0:", filler: "-"}
	for _, t := range read(wordsOf(s), &b.vocab) {
		one := names[t.kind] + t.text
		if t.id >= 0 {
			one += t.key
		}
		if t.aside {
			one = "(" + one + ")"
		}
		all = append(all, one)
	}
	return strings.Join(all, " ")
}
