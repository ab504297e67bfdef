package knowledge

import (
	"cmp"
	"math"
	"slices"
)

// alikeShare is the cosine of the weights of their words from which on two questions say much the same.
const alikeShare = 0.75

// Alike returns the other items whose questions say much the same as the i-th, most alike first: they
// share the words that carry it. It asks less than a match does, which knows what is asked of the thing.
func (b *Base) Alike(i int) []int {
	shared := map[int32]float64{}
	for _, t := range b.docs[i].terms {
		for _, other := range b.posts[t.id] {
			if int(other) != i {
				shared[other] += t.weight * b.weightIn(other, t.id)
			}
		}
	}
	type candidate struct {
		item  int
		share float64
	}
	var all []candidate
	for other, product := range shared {
		if share := product / (b.norm(i) * b.norm(int(other))); share >= alikeShare {
			all = append(all, candidate{int(other), share})
		}
	}
	slices.SortFunc(all, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.share, a.share), cmp.Compare(a.item, b.item))
	})
	items := make([]int, len(all))
	for n, c := range all {
		items[n] = c.item
	}
	return items
}

func (b *Base) weightIn(i int32, id int32) float64 {
	for _, t := range b.docs[i].terms {
		if t.id == id {
			return t.weight
		}
	}
	return 0
}

func (b *Base) norm(i int) float64 {
	sum := 0.0
	for _, t := range b.docs[i].terms {
		sum += t.weight * t.weight
	}
	return math.Sqrt(sum)
}
