package knowledge

import (
	_ "embed"
	"encoding/binary"
	"hash/fnv"
	"math"
	"math/bits"
	"slices"
	"strings"
	"sync"
)

// A meaning is where a text lies among those that mean something: texts that ask for the same lie in much the same
// direction, in whatever words. It is the sum of what its traits mean, which TestLearn learnt from customers and the
// questions that they asked.
type meaning [senses]float32

const (
	senses  = 96      // numbers that a meaning is made of
	buckets = 1 << 16 // of traits
)

// meaningFile is what traits mean: a bit for each bucket, set where something was learnt of it; then, for each of those, a
// float32 and the senses as int8, which that multiplies. The numbers are little-endian.
//
//go:embed data/meaning.bin
var meaningFile string

const (
	bitmap  = buckets / 8
	rowSize = 4 + senses
)

// lexis is what traits mean: the file, and where in it the row of a bucket begins, 0 for one that nothing was learnt of.
type lexis struct {
	file string
	at   []uint32
}

var learnt = sync.OnceValue(func() *lexis { return newLexis(meaningFile) })

func newLexis(file string) *lexis {
	l := &lexis{file: file, at: make([]uint32, buckets)}
	next := uint32(bitmap)
	for i := range bitmap {
		for b := file[i]; b != 0; b &= b - 1 {
			l.at[8*i+bits.TrailingZeros8(b)] = next
			next += rowSize
		}
	}
	if int(next) != len(file) {
		panic("data/meaning.bin is torn")
	}
	return l
}

// traits are what a text is known by: its terms, its words and its runs of two and three syllables, each as the number of
// its bucket.
func traits(words []string) (all []uint32) {
	add := func(kind byte, text string) {
		h := fnv.New32a()
		_, _ = h.Write([]byte{kind})
		_, _ = h.Write([]byte(text))
		s := h.Sum32()
		all = append(all, (s^s>>15)%buckets)
	}
	for _, t := range read(words, nil) {
		if t.id >= 0 || t.kind == word {
			add('t', t.key)
		}
	}
	for _, w := range words {
		add('w', w)
	}
	if len(words) == 0 {
		return nil
	}
	syllables := []rune("^" + strings.Join(words, "") + "$")
	for n := 2; n <= 3; n++ {
		for i := 0; i+n <= len(syllables); i++ {
			add('0'+byte(n), string(syllables[i:i+n]))
		}
	}
	return all
}

// meaningOf is the meaning of a text, of length 1; 0 where nothing is known of any of its traits.
func meaningOf(words []string) (m meaning) {
	l := learnt()
	for _, t := range traits(words) {
		at := l.at[t]
		if at == 0 {
			continue
		}
		row := l.file[at : at+rowSize]
		unit := math.Float32frombits(binary.LittleEndian.Uint32([]byte(row[:4])))
		for i := range m {
			m[i] += unit * float32(int8(row[4+i]))
		}
	}
	m.shorten()
	return m
}

// shorten makes a meaning that is not 0 one of length 1, and returns what its length was.
func (m *meaning) shorten() float32 {
	length := float32(math.Sqrt(float64(m.times(m))))
	if length > 0 {
		for i := range m {
			m[i] /= length
		}
	}
	return length
}

// times is how near two meanings of length 1 are: from -1 for the opposite to 1 for the same.
func (m *meaning) times(o *meaning) float32 {
	var a, b, c, d float32 // four sums at a time: each waits for itself alone
	for i := 0; i < senses; i += 4 {
		a += m[i] * o[i]
		b += m[i+1] * o[i+1]
		c += m[i+2] * o[i+2]
		d += m[i+3] * o[i+3]
	}
	return a + b + c + d
}

// nearness is how near the questions of a base are to an utterance in meaning.
type nearness struct {
	of         []float32 // by doc
	best, next float32   // the nearest, and the nearest of those that lead to another thing
	thing      int32     // that the nearest leads to
}

func (b *Base) nearnessTo(words []string) nearness {
	utterance := meaningOf(words)
	n := nearness{of: make([]float32, len(b.meanings)), best: -1, next: -1, thing: -1}
	for doc := range b.meanings {
		near := utterance.times(&b.meanings[doc])
		n.of[doc] = near
		switch thing := b.docs[doc].leads; {
		case thing == n.thing:
			n.best = max(n.best, near)
		case near > n.best:
			n.best, n.next, n.thing = near, n.best, thing
		case near > n.next:
			n.next = near
		}
	}
	return n
}

// ahead is how much nearer a doc is than all that lead to other things; below 0 for one that another is before. Where
// nothing else is near, not even a little, it is as near as it is, and no nearer: the only item of a base leads nothing.
func (n *nearness) ahead(doc, thing int32) float64 {
	if thing == n.thing {
		return float64(n.of[doc] - max(n.next, 0))
	}
	return float64(n.of[doc] - max(n.best, 0))
}

// nearest are the few docs that are nearest and near enough, the nearest first.
func (n *nearness) nearest() (docs []int32) {
	const (
		few  = 5
		near = 0.2
	)
	for doc, x := range n.of {
		if x < near || len(docs) == few && x <= n.of[docs[few-1]] {
			continue
		}
		at, _ := slices.BinarySearchFunc(docs, x, func(d int32, x float32) int {
			if n.of[d] >= x {
				return -1
			}
			return 1
		})
		if len(docs) == few {
			docs = docs[:few-1]
		}
		docs = slices.Insert(docs, at, int32(doc))
	}
	return docs
}
