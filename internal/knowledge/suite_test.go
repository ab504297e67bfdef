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
					t.Logf("WRONG %s [%s] %q → %q, want %q (%d) %v", tr.name, p.kind, p.said, got, p.want, score, termsOf(p.said, tr.index.near))
				}
			default:
				if tell {
					best := ""
					if len(found) > 0 {
						best = tr.index.items[found[0].Item].Question
					}
					t.Logf("MISS %s [%s] %q, want %q, best %q (%d) %v", tr.name, p.kind, p.said, p.want, best, score, termsOf(p.said, tr.index.near))
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

func TestSuite(t *testing.T) {
	for _, folder := range []string{"a", "b"} {
		for _, at := range []int{50, 60, 80, 90} {
			measure(t, folder, at, false)
		}
		precision, _ := measure(t, folder, 70, os.Getenv("TELL") == folder)
		if precision < 0.95 {
			t.Errorf("suite %s: precision = %.3f, want at least 0.95", folder, precision)
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
	type sample struct {
		f [features]float64
		y float64
		w float64
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
	w := weights
	for step := 0; step < 4000; step++ {
		var g [features]float64
		var sum float64
		for _, s := range data {
			z := 0.0
			for i := range w {
				z += w[i] * s.f[i]
			}
			d := (1/(1+math.Exp(-z)) - s.y) * s.w
			sum += s.w
			for i := range w {
				g[i] += d * s.f[i]
			}
		}
		for i := range w {
			w[i] -= 2 * (g[i]/sum + 0.0005*w[i])
		}
	}
	t.Logf("%d samples: %.2f", len(data), w)
}
