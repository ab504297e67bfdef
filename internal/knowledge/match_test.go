package knowledge

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
)

var shop = []Item{
	{Question: "환불 규정", Answer: "받으신 날부터 7일 안에 환불해 드립니다."},
	{Question: "주차할 수 있나요?", Answer: "건물 지하에 2시간 무료입니다."},
	{Question: "영업시간", Answer: "매일 10시부터 8시까지입니다."},
	{Question: "배송은 며칠이나 걸리나요?", Answer: "보통 2~3일 걸립니다."},
	{Question: "배송지를 바꾸고 싶어요.", Answer: "주문 내역에서 바꾸실 수 있습니다."},
	{Question: "어떤 결제 수단을 쓸 수 있나요?", Answer: "신용카드, 카카오페이, 계좌 이체를 쓰실 수 있습니다."},
	{Question: "앙버터프레첼은 언제 구워지나요?", Answer: "오전 11시에 나옵니다."},
}

func TestMatch(t *testing.T) {
	b := New(shop)
	tests := map[string]struct {
		utterance string
		want      int // item, -1 for none at the threshold
	}{
		"one word":                  {"환불", 0},
		"two syllables":             {"주차", 1},
		"a particle":                {"주차는요?", 1},
		"no spaces":                 {"주차할수있나요", 1},
		"spaces at the wrong place": {"배송 지를바 꾸고 싶어요", 4},
		"a slip":                    {"환뷸 되나요", 0},
		"a key beside":              {"영업시갼", 2},
		"the wrong keyboard":        {"wnck", 1},
		"slang":                     {"주차 ㄱㄴ?", 1},
		"another word for it":       {"돈 돌려받을 수 있나요", 0},
		"a word of the base alone":  {"앙버터프레첼", 6},
		"the answer only":           {"카카오페이 되나요", 5},
		"another matter":            {"주차 요원 채용하나요?", -1},
		"another trade":             {"임플란트 얼마예요", -1},
		"small talk":                {"오늘 날씨 좋네요", -1},
		"laughter":                  {"ㅋㅋㅋㅋ", -1},
		"gibberish":                 {"ㅁㄴㅇㄹ", -1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := -1
			best := b.Match(tt.utterance, 1)
			if len(best) > 0 && best[0].Score >= threshold {
				got = best[0].Item
			}
			if got != tt.want {
				t.Errorf("Match(%q) = %d, want %d: %+v", tt.utterance, got, tt.want, best)
			}
		})
	}
}

func TestMatch_exact(t *testing.T) {
	b := New(shop)
	for i, item := range shop {
		for _, said := range []string{item.Question, strings.ReplaceAll(item.Question, " ", ""), item.Question + "!!", " " + item.Question + "ㅠㅠ"} {
			if got := b.Match(said, 1); len(got) != 1 || got[0].Item != i || got[0].Score != 100 {
				t.Errorf("Match(%q) = %+v, want item %d with 100", said, got, i)
			}
		}
	}
}

func TestMatch_none(t *testing.T) {
	b := New(shop)
	for _, nothing := range []string{"", " ", "\n", "?!", "👍", "ㅋㅋ", "ㅠㅠ", "\xff\xfe", "\x00"} {
		if got := b.Match(nothing, 3); len(got) != 0 {
			t.Errorf("Match(%q) = %+v, want none", nothing, got)
		}
	}
	if got := New(nil).Match("환불", 3); len(got) != 0 {
		t.Errorf("Match of an empty base = %+v, want none", got)
	}
	if got := b.Match("환불", 0); len(got) != 0 {
		t.Errorf("Match(환불, 0) = %+v, want none", got)
	}
}

// The parts of a score come to it, and say what became of each word.
func TestMatch_parts(t *testing.T) {
	best := New(shop).Match("주차 요원 채용하나요?", 1)
	if len(best) != 1 {
		t.Fatalf("Match = %+v, want one", best)
	}
	sum, words := 0.0, ""
	for _, p := range best[0].Parts {
		sum += p.Contribution
		words += p.Name + "\n"
	}
	if score := int(100 / (1 + math.Exp(-sum))); score != best[0].Score {
		t.Errorf("the parts come to %d, want the score %d", score, best[0].Score)
	}
	for _, want := range []string{"said 주차 요원, in the question 주차할 수", "said 채용, not in the item"} {
		if !strings.Contains(words, want) {
			t.Errorf("parts are\n%swant %q among them", words, want)
		}
	}
}

// Items that fit alike are in the order of their questions, whatever the order in which they were given.
func TestMatch_ties(t *testing.T) {
	for _, items := range [][]Item{
		{{Question: "환불 취소?"}, {Question: "환불 취소!"}, {Question: "환불 취소."}},
		{{Question: "환불 취소."}, {Question: "환불 취소!"}, {Question: "환불 취소?"}},
	} {
		var order []string
		for _, m := range New(items).Match("환불", 3) {
			order = append(order, fmt.Sprint(items[m.Item].Question, " ", m.Score))
		}
		score := New(items).Match("환불", 1)[0].Score
		if want := []string{fmt.Sprint("환불 취소! ", score), fmt.Sprint("환불 취소. ", score), fmt.Sprint("환불 취소? ", score)}; !slices.Equal(order, want) {
			t.Errorf("Match = %q, want %q", order, want)
		}
	}
}

// Spaces and particles make no difference that a customer would notice.
func TestMatch_spacing(t *testing.T) {
	b := New(shop)
	r := rand.New(rand.NewPCG(1, 2))
	for _, said := range []string{"주차할 수 있나요", "배송지를 바꾸고 싶어요", "배송은 며칠이나 걸리나요"} {
		want := b.Match(said, 1)[0]
		for range 50 {
			var other strings.Builder
			for _, c := range strings.ReplaceAll(said, " ", "") {
				if r.IntN(5) == 0 {
					other.WriteByte(' ')
				}
				other.WriteRune(c)
			}
			if got := b.Match(other.String(), 1); len(got) == 0 || got[0].Item != want.Item || got[0].Score != want.Score {
				t.Errorf("Match(%q) = %+v, want item %d with %d", other.String(), got, want.Item, want.Score)
			}
		}
	}
	for _, particle := range []string{"은", "는", "도", "만", "은요", "은요?", "를", "이요"} {
		got := b.Match("환불"+particle, 1)
		if len(got) == 0 || got[0].Item != 0 || got[0].Score < threshold {
			t.Errorf("Match(환불%s) = %+v, want item 0", particle, got)
		}
	}
}

// A word of two meanings has the one that the base speaks of.
func TestMatch_meaning(t *testing.T) {
	tests := map[string]struct{ question, want string }{
		"of the first":  {"샤워실이 있나요?", "#shower"},
		"of the second": {"노천탕이 있나요?", "#spa_bath"},
		"of neither":    {"주차할 수 있나요?", "#shower"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := New([]Item{{Question: tt.question}})
			if got := question(wordsOf("사우나"), &b.vocab); len(got) != 1 || got[0].key != tt.want {
				t.Errorf("사우나 is read as %+v, want %s", got, tt.want)
			}
		})
	}
}

// Who comes along, or when, is what a question is about where nothing else is said.
func TestMatch_alone(t *testing.T) {
	b := New(append([]Item{{Question: "커플 클래스가 있나요?", Answer: "토요일 오후에 있습니다."}}, shop...))
	if got := b.Match("커플", 1); len(got) != 1 || got[0].Item != 0 || got[0].Score < threshold {
		t.Errorf("Match(커플) = %+v, want item 0", got)
	}
	if got := b.Match("커플인데 주차 되나요", 1); len(got) != 1 || got[0].Item != 2 {
		t.Errorf("Match(커플인데 주차 되나요) = %+v, want item 2", got)
	}
}

// What is said on the way and asked for again is asked for.
func TestMatch_again(t *testing.T) {
	b := New(shop)
	words := wordsOf("환불하려고 했는데 환불 되나요")
	terms := question(words, &b.vocab)
	q := b.query("", terms, b.saids(terms))
	for _, s := range q.said {
		if s.key == "#refund" && s.aside {
			t.Errorf("%s is by the way, though it is asked for", s.text)
		}
	}
}

// A single syllable before other parts of a variant is a word: a way is no room.
func TestApart_syllable(t *testing.T) {
	for text, want := range map[string]bool{"방 있나요": true, "방이 지금 있나요": true, "방법이 있나요": false} {
		a := apart{parts: foldedAll("방", "있나")}
		if _, _, got := a.in(newText(wordsOf(text)), dictionary()); got != want {
			t.Errorf("방…있나 in %q: %v, want %v", text, got, want)
		}
	}
}

// The question of a story is found in one of its sentences, and parts explain the whole score.
func TestMatch_story(t *testing.T) {
	b := New(shop)
	got := b.Match("이번에 아들 결혼식이 있어서 부산에서 올라왔어요. 차를 가지고 왔거든요. 주차할 수 있나요? 짐이 많아서 걱정이에요", 1)
	if len(got) != 1 || got[0].Item != 1 {
		t.Fatalf("Match = %+v, want item 1", got)
	}
	sum := 0.0
	for _, p := range got[0].Parts {
		sum += p.Contribution
	}
	if math.Abs(sum-got[0].logit) > 1e-9 {
		t.Errorf("parts come to %f, want %f", sum, got[0].logit)
	}
}

// A slip in a word that says nothing makes no other word of it.
func TestMatch_fillerSlip(t *testing.T) {
	b := New(shop)
	for _, one := range question(wordsOf("환불 어떠케 하나요"), &b.vocab) {
		if one.text == "어떠케" && one.kind != filler {
			t.Errorf("어떠케 is read as %+v", one)
		}
	}
}

// Whatever is said, an item given twice leaves the base usable, and matching from many sides at once is safe.
func TestMatch_concurrent(t *testing.T) {
	b := New(append(shop, shop...))
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 20 {
				b.Match(fmt.Sprintf("배송지 %d번 변경 %d", i, j), 3)
			}
		})
	}
	all.Wait()
}

// Two thousand bytes of anything are matched in bounded time.
func TestMatch_hostile(t *testing.T) {
	b := New(shop)
	for name, one := range map[string]string{"syllable": "환", "letter": "ㅎ", "Latin": "a", "digit": "1", "word": "예약", "mistyped": "츄쇼", "mark": "\u0301", "broken": "\xed"} {
		text := strings.Repeat(one, 2000/len(one))
		for _, m := range b.Match(text, 3) {
			if m.Score < 0 || m.Score > 100 {
				t.Errorf("%s: Score = %d", name, m.Score)
			}
		}
	}
}

func FuzzMatch(f *testing.F) {
	b := New(shop)
	for _, item := range shop {
		f.Add(item.Question)
	}
	f.Add("쥬문 츄소 ㄱㄴ?ㅋㅋ tnrkdfy 3시 10분 \u1112\u116A\u11AB")
	f.Fuzz(func(t *testing.T, said string) {
		before := 101
		for _, m := range b.Match(said, 3) {
			if m.Score < 1 || m.Score > 100 || m.Item < 0 || m.Item >= len(shop) {
				t.Fatalf("Match(%q) = %+v", said, m)
			}
			if m.Score > before {
				t.Fatalf("Match(%q) is not best first: %d after %d", said, m.Score, before)
			}
			before = m.Score
		}
		New([]Item{{Question: said, Answer: said}}).Match(said, 1)
	})
}

// Further ways to ask for the same thing make its item no worse: they neither compete with it nor make its words common.
func TestMatch_otherWaysToAskForTheSame(t *testing.T) {
	base := []Item{
		{Question: "반품은 언제까지 할 수 있나요?", Answer: "7일 안에 신청해 주세요."},
		{Question: "배송비는 얼마인가요?", Answer: "3,000원이에요."},
		{Question: "주차할 수 있나요?", Answer: "두 시간 동안 무료예요."},
		{Question: "영업시간이 어떻게 되나요?", Answer: "10시부터 9시까지예요."},
		{Question: "적립금은 어떻게 쌓이나요?", Answer: "책값의 5%예요."},
		{Question: "자리를 예약하고 싶어요", Leads: "reserve"},
	}
	more := slices.Concat(base, []Item{
		{Question: "반품 기한은 며칠인가요?", Answer: "7일 안에 신청해 주세요."},
		{Question: "며칠까지 반품이 돼요?", Answer: "7일 안에 신청해 주세요."},
		{Question: "예약하고 싶은데 자리 있나요?", Leads: "reserve"},
		{Question: "내일 자리 예약할게요", Leads: "reserve"},
	})
	for _, said := range []string{"반품", "반품 며칠까지예요", "언제까지 반품되나요", "예약", "자리 예약", "저녁에 예약하고 싶어요"} {
		one, several := New(base).Match(said, 1), New(more).Match(said, 1)
		if len(one) == 0 || len(several) == 0 {
			t.Fatalf("Match(%q) finds nothing", said)
		}
		if got, before := more[several[0].Item].target(), base[one[0].Item].target(); got != before || several[0].Score < one[0].Score {
			t.Errorf("Match(%q) = %v with %d, want %v with %d at least, as before there were more ways to ask", said, got, several[0].Score, before, one[0].Score)
		}
	}
}

// A word that is over one item alone is as good as one of its question; one over several is not.
func TestMatch_heading(t *testing.T) {
	b := New([]Item{
		{Categories: [4]string{"반품", "교환"}, Question: "다른 책으로 바꿀 수 있나요?", Answer: "같은 책으로만 바꿔 드려요."},
		{Categories: [4]string{"반품", "기한"}, Question: "며칠 안에 보내야 하나요?", Answer: "7일 안에 보내 주세요."},
		{Categories: [4]string{"반품", "비용"}, Question: "배송비는 누가 내나요?", Answer: "저희가 내요."},
		{Categories: [4]string{"매장", "시간"}, Question: "몇 시까지 하나요?", Answer: "9시까지 해요."},
	})
	for said, want := range map[string]bool{"교환": true, "교환하고 싶어요": true, "반품": false} {
		best := b.Match(said, 1)
		if got := len(best) > 0 && best[0].Score >= threshold; got != want || got && best[0].Item != 0 {
			t.Errorf("Match(%q) = %+v, want an answer: %v", said, best, want)
		}
	}
}

// The only item of a base has no rival, and is asked for no sooner than it would be beside others.
func TestMatch_onlyItem(t *testing.T) {
	for question, others := range map[string][]string{
		"영업시간이 어떻게 되나요?": {"휴무일", "일요일에 하나요", "점심시간에도 하나요"},
		"환불은 어떻게 하나요?":   {"주문 취소", "교환하고 싶어요", "배송비 얼마예요"},
	} {
		base := New([]Item{{Question: question}})
		if got := base.Match(question, 1); len(got) != 1 || got[0].Score != 100 {
			t.Errorf("%s itself matches with %+v, want 100", question, got)
		}
		for _, said := range others {
			if got := base.Match(said, 1); len(got) > 0 && got[0].Score >= threshold {
				t.Errorf("%s is answered with %s, the only item, at %d", said, question, got[0].Score)
			}
		}
	}
}

// Who says it in words that the question has not finds it, and the score says why; a near miss does not.
func TestMatch_meant(t *testing.T) {
	base := New([]Item{{Question: "주차할 수 있나요?"}, {Question: "영업시간이 어떻게 되나요?"}, {Question: "환불은 어떻게 하나요?"}, {Question: "배송은 얼마나 걸리나요?"}, {Question: "바지 기장 수선은 얼마인가요?"}})
	for said, want := range map[string]int{"차 갖고 가도 돼요?": 0, "차 끌고 가려는데 댈 데 있어요": 0, "돈 돌려받고 싶어요": 2, "물건 언제 받아요": 3} {
		got := base.Match(said, 1)
		if len(got) == 0 || got[0].Item != want || got[0].Score < threshold {
			t.Errorf("%s matches %+v, want item %d from %d on", said, got, want, threshold)
			continue
		}
		if !slices.ContainsFunc(got[0].Parts, func(p Part) bool { return p.Name == "meant alike" && p.Contribution > 0 }) {
			t.Errorf("the score of %s does not say that it was meant alike: %+v", said, got[0].Parts)
		}
	}
	for _, said := range []string{"대통령 선거일이 언제죠", "단체 주문하면 할인돼요", "포장지 색깔 고를 수 있어요"} {
		if got := base.Match(said, 1); len(got) > 0 && got[0].Score >= threshold {
			t.Errorf("%s is answered with %d at %d, want nothing", said, got[0].Item, got[0].Score)
		}
	}
}
