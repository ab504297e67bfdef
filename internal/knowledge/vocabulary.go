package knowledge

// vocabulary is words that a dictionary does not have: those of a base.
type vocabulary struct {
	list    []string // in order
	words   map[string]bool
	longest map[rune]int // bytes
	slips   *slips
	spoken  []bool // by concept: the items speak of it; nil as long as they are read themselves
}

// speaksOf reports whether the items speak of a concept, as far as that is known.
func (v *vocabulary) speaksOf(concept int32) bool {
	return v == nil || v.spoken == nil || v.spoken[concept]
}

// meaning is the concept that a variant stands for in the base, the first that the items speak of, and what it costs more
// to read it there.
func (v *vocabulary) meaning(first int32, others []int32, d *lexicon) (concept int32, cost float64) {
	if v.speaksOf(first) || d.kinds[first] != topic {
		return first, 0
	}
	for _, other := range others {
		if v.spoken[other] {
			return other, 0
		}
	}
	return first, costElsewhere
}
