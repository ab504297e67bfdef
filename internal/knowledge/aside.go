package knowledge

import "strings"

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
