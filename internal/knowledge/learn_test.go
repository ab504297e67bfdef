package knowledge

import (
	"cmp"
	"encoding/binary"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// lesson is a business to learn from: its questions, and what customers said who asked one of them, or none.
type lesson struct {
	questions [][]uint32 // traits
	said      []answered
}

type answered struct {
	traits   []uint32
	question int // none for nothing that a question asks
}

const none = -1

// lessons reads what was written to learn from, but for the businesses that are left out: none of it belongs to a suite.
func lessons(t testing.TB, without func(name string) bool) (all []lesson) {
	t.Helper()
	for _, f := range saidFiles(t) {
		name := strings.TrimSuffix(filepath.Base(f), "-pairs.csv")
		if without(name) {
			continue
		}
		var l lesson
		known := map[string]int{}
		question := func(text string) int {
			q, is := known[text]
			if !is {
				q, known[text] = len(l.questions), len(l.questions)
				l.questions = append(l.questions, traits(wordsOf(text)))
			}
			return q
		}
		for _, item := range baseOf(t, f) {
			question(item.Question)
		}
		for _, row := range rows(t, f) {
			a := answered{traits: traits(wordsOf(row[0])), question: none}
			if row[1] != "" {
				a.question = question(row[1])
			}
			l.said = append(l.said, a)
		}
		all = append(all, l)
	}
	return all
}

// saidFiles are what customers said to businesses, in order.
func saidFiles(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/said/*-pairs.csv")
	if err != nil || len(files) == 0 {
		t.Fatalf("testdata/said: %v, %d files", err, len(files))
	}
	return files
}

// baseOf is the knowledge base that belongs to a file of pairs; nil if it has none.
func baseOf(t testing.TB, pairs string) (items []Item) {
	t.Helper()
	base := strings.TrimSuffix(pairs, "-pairs.csv") + ".csv"
	if _, err := os.Stat(base); err != nil {
		return nil
	}
	for _, r := range rows(t, base) {
		items = append(items, Item{Categories: [4]string{r[0], r[1], r[2], r[3]}, Question: r[4], Answer: r[5]})
	}
	return items
}

// half says of a business of testdata/said that has a knowledge base to which half of these it belongs, 0 or 1; of others none.
func half(t testing.TB, name string) int {
	t.Helper()
	if baseOf(t, "testdata/said/"+name+"-pairs.csv") == nil {
		return none
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(name))
	return int(h.Sum32() >> 3 % 2)
}

// learner learns what traits mean: the meaning of an utterance is to be nearer to that of its question than to those of all
// others of its business, and some of other businesses; and that of an utterance that asks none of them is to be far from all.
type learner struct {
	meanings, squares []meaning // by bucket: what is learnt, and the sums of the squares of its gradients (Adagrad)
	rate              float32
	rng               *rand.Rand
}

const (
	fewest    = 5   // of a trait: less often met, nothing can be learnt of it
	sharpness = 14  // how much a little nearer counts
	far       = 0.5 // how near is no nearer than nothing at all
	dropped   = 0.5 // share of traits that are left out at a time, so that none is relied on alone
	atATime   = 12  // utterances between two steps
	strangers = 30  // questions of other businesses
	rounds    = 14
)

// TestLearn writes data/meaning.bin: LEARN=1 go test ./internal/knowledge -run TestLearn -timeout 1h. It takes minutes, and
// comes to the same from the same data on the same kind of processor. The weights are to be fitted again afterwards: see TestFit, which needs what is
// learnt without each half of the businesses, too: LEARN=1 WITHOUT=0 OUT=file.
func TestLearn(t *testing.T) {
	if os.Getenv("LEARN") == "" {
		return // only on demand
	}
	without := os.Getenv("WITHOUT")
	all := lessons(t, func(name string) bool { return without != "" && strconv.Itoa(half(t, name)) == without })
	met := make([]int, buckets)
	each := func(change func(traits []uint32) []uint32) {
		for _, l := range all {
			for i := range l.said {
				l.said[i].traits = change(l.said[i].traits)
			}
			for i := range l.questions {
				l.questions[i] = change(l.questions[i])
			}
		}
	}
	each(func(traits []uint32) []uint32 {
		for _, x := range traits {
			met[x]++
		}
		return traits
	})
	each(func(traits []uint32) (often []uint32) {
		for _, x := range traits {
			if met[x] >= fewest {
				often = append(often, x)
			}
		}
		return often
	})
	l := &learner{meanings: make([]meaning, buckets), squares: make([]meaning, buckets), rng: rand.New(rand.NewPCG(1, 2))}
	for i := range l.meanings {
		if met[i] >= fewest {
			for k := range senses {
				l.meanings[i][k] = float32(l.rng.NormFloat64()) / 7
			}
		}
	}
	for round := range rounds {
		l.rate = 0.09 * (1 - 0.9*float32(round)/rounds)
		t.Logf("round %d: a question is missed by %.3f", round+1, l.round(all))
	}
	if err := os.WriteFile(cmp.Or(os.Getenv("OUT"), "data/meaning.bin"), l.file(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// round goes through all that was said once, in any order, and returns the mean of the logarithms of how unlikely the right
// questions were.
func (l *learner) round(all []lesson) float64 {
	type part struct{ lesson, from int }
	var parts []part
	said := 0
	for i := range all {
		these := all[i].said
		l.rng.Shuffle(len(these), func(a, b int) { these[a], these[b] = these[b], these[a] })
		for from := 0; from < len(these); from += atATime {
			parts = append(parts, part{i, from})
		}
		said += len(these)
	}
	l.rng.Shuffle(len(parts), func(a, b int) { parts[a], parts[b] = parts[b], parts[a] })
	sum := 0.0
	for _, p := range parts {
		one := &all[p.lesson]
		questions := append([][]uint32{}, one.questions...)
		for range strangers {
			other := &all[l.rng.IntN(len(all))]
			questions = append(questions, other.questions[l.rng.IntN(len(other.questions))])
		}
		sum += l.step(questions, len(one.questions), one.said[p.from:min(p.from+atATime, len(one.said))])
	}
	return sum / float64(said)
}

// step learns from a few utterances among questions, the first of which are those of their business.
func (l *learner) step(questions [][]uint32, own int, said []answered) (unlikely float64) {
	gradient := map[uint32]*meaning{}
	asked, pull := make([]lookAt, len(questions)), make([]meaning, len(questions))
	for i, traits := range questions {
		asked[i] = l.read(traits)
	}
	odds := make([]float64, len(questions))
	for _, a := range said {
		u := l.read(a.traits)
		among := asked
		if a.question == none {
			among = asked[:own] // others may ask just that
		}
		noneOfThem := math.Exp(sharpness * far)
		sum := noneOfThem
		for i := range among {
			odds[i] = math.Exp(sharpness * float64(u.meaning.times(&among[i].meaning)))
			sum += odds[i]
		}
		right := noneOfThem
		if a.question != none {
			right = odds[a.question]
		}
		unlikely -= math.Log(right / sum)
		var off meaning
		for i := range among {
			wrong := odds[i] / sum
			if i == a.question {
				wrong--
			}
			g := float32(wrong)
			for k := range senses {
				off[k] += g * among[i].meaning[k]
				pull[i][k] += g * u.meaning[k]
			}
		}
		u.back(&off, gradient)
	}
	for i := range asked {
		asked[i].back(&pull[i], gradient)
	}
	for x, g := range gradient {
		m, s := &l.meanings[x], &l.squares[x]
		for k := range senses {
			s[k] += g[k] * g[k]
			m[k] -= l.rate * g[k] / (float32(math.Sqrt(float64(s[k]))) + 1e-4)
		}
	}
	return unlikely
}

// lookAt is a text that is read to learn from it.
type lookAt struct {
	traits  []uint32 // those that were not left out
	meaning meaning
	length  float32 // of the meaning before it was made one of length 1
}

func (l *learner) read(traits []uint32) (r lookAt) {
	for _, x := range traits {
		if l.rng.Float64() >= dropped {
			r.traits = append(r.traits, x)
		}
	}
	if len(r.traits) == 0 {
		r.traits = traits
	}
	for _, x := range r.traits {
		for k, v := range l.meanings[x] {
			r.meaning[k] += v
		}
	}
	r.length = r.meaning.shorten() + 1e-6
	return r
}

// back adds to the gradients of the traits what the gradient of the meaning asks of them.
func (r *lookAt) back(g *meaning, gradient map[uint32]*meaning) {
	along := g.times(&r.meaning) // a change of length changes nothing
	for _, x := range r.traits {
		sum := gradient[x]
		if sum == nil {
			sum = &meaning{}
			gradient[x] = sum
		}
		for k := range senses {
			sum[k] += (g[k] - along*r.meaning[k]) / r.length
		}
	}
}

// file is what was learnt as data/meaning.bin holds it.
func (l *learner) file() []byte {
	text := make([]byte, bitmap)
	for i := range l.meanings {
		m := &l.meanings[i]
		most := float32(0)
		for _, v := range m {
			most = max(most, v, -v)
		}
		if most == 0 {
			continue
		}
		text[i/8] |= 1 << (i % 8)
		unit := most / math.MaxInt8
		text = binary.LittleEndian.AppendUint32(text, math.Float32bits(unit))
		for _, v := range m {
			text = append(text, byte(int8(math.Round(float64(v/unit)))))
		}
	}
	return text
}

// By meaning alone, most utterances find their question first, also in bases that nothing was learnt from.
func TestMeaning_findsTheQuestion(t *testing.T) {
	for folder, want := range map[string]float64{"b": 0.93, "l": 0.98, "p": 0.97, "s": 0.96, "z": 0.97} {
		first, all := 0, 0
		for _, tr := range suite(t, folder) {
			for _, p := range tr.pairs {
				if p.want == "" {
					continue
				}
				all++
				n := tr.base.nearnessTo(wordsOf(p.said))
				if docs := n.nearest(); len(docs) > 0 && tr.base.items[docs[0]].Question == p.want {
					first++
				}
			}
		}
		share := float64(first) / float64(all)
		t.Logf("suite %s: %.3f of %d find their question first", folder, share, all)
		if share < want {
			t.Errorf("suite %s: %.3f find their question first, want at least %.2f", folder, share, want)
		}
	}
}

func TestMeaning(t *testing.T) {
	for _, tt := range []struct{ said, near, far string }{
		{"몇 시에 문 닫아요", "영업시간이 어떻게 되나요?", "주차할 수 있나요?"},
		{"차 갖고 가도 돼요?", "주차할 수 있나요?", "영업시간이 어떻게 되나요?"},
		{"돈 돌려받고 싶어요", "환불은 어떻게 하나요?", "배송은 얼마나 걸리나요?"},
		{"물건 언제 와요", "배송은 얼마나 걸리나요?", "환불은 어떻게 하나요?"},
	} {
		said, near, far := meaningOf(wordsOf(tt.said)), meaningOf(wordsOf(tt.near)), meaningOf(wordsOf(tt.far))
		if said.times(&near) <= said.times(&far) {
			t.Errorf("%s is nearer to %s (%.2f) than to %s (%.2f)", tt.said, tt.far, said.times(&far), tt.near, said.times(&near))
		}
		if length := said.times(&said); math.Abs(float64(length)-1) > 1e-3 {
			t.Errorf("the meaning of %s has the length %f, want 1", tt.said, length)
		}
	}
	if nothing := meaningOf(nil); nothing != (meaning{}) {
		t.Errorf("nothing means %v", nothing)
	}
}
