package knowledge

import (
	"slices"
	"strings"
)

// leadsOn are what a clause ends with that leads to the question: 차가 막혀서, 예약했는데.
var leadsOn = foldedAll("는데", "은데", "인데", "한데", "던데", "는데요", "은데요", "인데요", "던데요", "거든요", "어서", "아서", "해서", "여서", "라서", "서요", "니까", "지만", "고요", "구요", "길래", "느라", "다가")

// setAside marks what is said before the question.
func setAside(terms []term, words []string) {
	last, at := 0, 0                                 // where the last clause begins, in bytes
	for _, w := range words[:max(len(words)-1, 0)] { // nothing follows on the last
		at += len(w)
		for _, e := range leadsOn {
			if strings.HasSuffix(w, e) && len(w) > len(e) {
				last = at
				break
			}
		}
	}
	at = 0
	says := false
	cut := 0
	for i, t := range terms {
		if at < last {
			cut = i + 1
		} else if t.kind == topic || t.kind == word {
			says = true
		}
		at += len(t.text)
	}
	if !says {
		return // the question is what was said before
	}
	for i := range cut {
		terms[i].aside = true
	}
}

// closes are what a sentence ends with: 왔어요, 합니다.
var closes = append(slices.Clone(leadsOn), foldedAll("어요", "아요", "해요", "네요", "니다", "군요", "려고요", "예요", "이에요", "여요", "나요", "까요", "죠", "세요")...)

// clause is a part of a text: from and to are bytes of it, without spaces.
type clause struct {
	words    []string
	from, to int
}

// clauses are parts of a text: its end, from each of its last clauses on, and each of those clauses alone. The first is how it
// came about, and not among them.
func clauses(words []string) (all []clause) {
	const most = 6
	at := 0
	for _, w := range words {
		at += len(w)
	}
	end := at
	last, to := len(words), end
	for i := len(words) - 2; i >= 0 && len(all) < most; i-- {
		at -= len(words[i+1])
		if !slices.ContainsFunc(closes, func(e string) bool { return strings.HasSuffix(words[i], e) && len(words[i]) > len(e) }) {
			continue
		}
		all = append(all, clause{words[i+1:], at, end})
		if last < len(words) {
			all = append(all, clause{words[i+1 : last], at, to})
		}
		last, to = i+1, at
	}
	return all
}
