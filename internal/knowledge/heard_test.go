package knowledge

import (
	"slices"
	"testing"
	"testing/fstest"
)

// listening has a base listen to pairs of what was said and what that asked, in suites by their names.
func listening(base *Base, suites map[string]string) *heard {
	files := fstest.MapFS{}
	for name, pairs := range suites {
		files["data/heard/"+name+"/shop-pairs.csv"] = &fstest.MapFile{Data: []byte("utterance,question,kind\n" + pairs)}
	}
	h := readHeard(files)
	base.heard = func() *heard { return h }
	return h
}

// Who says what customers of another business have said asks here what they asked there, in words that no item has.
func TestHeard(t *testing.T) {
	items := []Item{
		{Question: "영업시간이 어떻게 되나요?", Answer: "매일 10시부터 21시까지입니다."},
		{Question: "주차장이 있나요?", Answer: "지하 1층에 있습니다."},
	}
	const said = "붕붕이 끌고 가렵니다"
	base := newBase(items)
	if got := base.Match(said, 1); len(got) > 0 && got[0].Score >= threshold {
		t.Fatalf("%q is understood as it is: %+v", said, got)
	}
	h := listening(base, map[string]string{
		"x": "붕붕이 끌고 가렵니다,주차할 수 있나요?,plain\n빵 냄새가 나요,빵은 언제 나오나요?,plain\n",
		"y": "문 닫을 무렵,몇 시에 닫나요?,plain\n아무 말,,off\n",
	})
	got := base.Match(said, 2)
	if len(got) == 0 || items[got[0].Item].Question != "주차장이 있나요?" {
		t.Fatalf("Match(%q) = %+v, want the item about parking first", said, got)
	}
	if !slices.ContainsFunc(got[0].Parts, func(p Part) bool { return p.Name == featureNames[elsewhere] && p.Value > 0.5 }) {
		t.Errorf("Match(%q) is made of %+v, want that it was heard elsewhere", said, got[0].Parts)
	}
	if got := base.hearsay(wordsOf("빵 냄새가 나요")); got[0] > 0.3 || got[1] > 0.3 {
		t.Errorf("a question that no item answers is heard as %v, want none of them", got)
	}
	if got := base.hearsay(wordsOf("아무 말")); got[nothing] < 0.9 || got[0] > 0 || got[1] > 0 {
		t.Errorf("what asked nothing is heard as %v, want nothing", got)
	}
	base.heard = func() *heard { return h.without("x") }
	base.answers.Clear()
	if got := base.hearsay(wordsOf(said)); got[1] > 0.3 {
		t.Errorf("without the suite that has it %q is heard as %v, want nothing", said, got)
	}
}

// All that the program has heard can be read, and what was said means what it meant, among others.
func TestHeard_all(t *testing.T) {
	h := everHeard()
	wrong := 0
	for i, item := range h.base.items {
		if i%50 > 0 {
			continue
		}
		if !slices.ContainsFunc(h.meant(wordsOf(item.Question)), func(a asked) bool { return a.question == h.questions[i] }) {
			t.Logf("%q is not heard as %q", item.Question, h.questions[i])
			wrong++
		}
	}
	if few := len(h.questions) / 50 / 20; wrong > few {
		t.Errorf("%d of %d do not mean what they meant, want at most %d: they were said in as many words", wrong, len(h.questions)/50, few)
	}
}
