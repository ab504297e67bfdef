package kakao_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"github.com/malgil/malgil/internal/kakao"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

// golden returns answers that between them use every component, each valid.
func golden() map[string]kakao.SkillResponse {
	goods := commerce()
	goods.Title, goods.Currency, goods.Discount, goods.DiscountRate, goods.DiscountedPrice = "겨울 바다", "won", 1420, 10, new(int64(12_780))
	goods.Profile = &kakao.Profile{Nickname: "한빛서점", ImageURL: picture}
	delivery := kakao.Respond(
		kakao.Output{SimpleText: &kakao.SimpleText{Text: "HB-240917-0031 주문은 대전 물류센터를 출발했어요."}},
		basicCard(kakao.BasicCard{
			Title: "배송 중", Description: "내일 오전 도착 예정",
			Thumbnail: &kakao.Thumbnail{ImageURL: picture, AltText: "상자"},
			Buttons: kakao.Buttons{Layout: "vertical", List: []kakao.Button{
				{Action: "webLink", Label: "지도 보기", WebLinkURL: "https://hanbit.example/t/31?a=1&b=<2>"},
				{Action: "operator", Label: "상담직원 연결"},
			}},
		}))
	delivery.Template.QuickReplies = []kakao.QuickReply{
		{Action: "message", Label: "다른 주문", MessageText: "다른 주문 조회"},
		{Action: "block", Label: "처음으로", BlockID: "66a1f111d4b7e83f5a9c1d01", Extra: map[string]any{"from": "delivery"}},
	}
	delivery.Context = &kakao.Context{Values: []kakao.ContextValue{
		{Name: "last_order", LifeSpan: 5, TTL: 600, Params: map[string]string{"order_no": "HB-240917-0031"}},
	}}
	return map[string]kakao.SkillResponse{
		"delivery": delivery,
		"waiting":  kakao.Waiting("찾아보고 있어요."),
		"text":     kakao.Text("안녕하세요. 한빛서점입니다."),
		"cards": kakao.Respond(
			listCard(kakao.ListCard{Header: kakao.ListHeader{Title: "이번 주 신간"}, Items: []kakao.ListItem{
				{Title: "겨울 바다", Description: "시집", ImageURL: picture, Link: &kakao.Link{Web: "https://hanbit.example/b/1"}},
				{Title: "봄 산", Action: "block", BlockID: "b2", Extra: map[string]any{"sku": "BK-2"}},
			}}),
			itemCard(kakao.ItemCard{
				Head: &kakao.ItemHead{Title: "주문 내역"}, ImageTitle: &kakao.ImageTitle{Title: "겨울 바다", ImageURL: picture},
				Items: []kakao.Item{{Title: "수량", Description: "1권"}}, Alignment: "right",
				ItemListSummary: &kakao.Item{Title: "합계", Description: "14,200원"}, Title: "감사합니다", Description: "곧 보내 드려요",
			}),
			carousel(kakao.Carousel{
				Type: "commerceCard", Items: []kakao.Card{&goods, &goods},
				Header: &kakao.CarouselHeader{Title: "추천", Description: "직원이 골랐어요", Thumbnail: thumbnail()},
			})),
	}
}

func TestSkillResponse_golden(t *testing.T) {
	for name, r := range golden() {
		t.Run(name, func(t *testing.T) {
			if problems := kakao.Lint(r); len(problems) > 0 {
				t.Fatalf("Lint = %v, want no problem", problems)
			}
			body, err := r.JSON()
			if err != nil {
				t.Fatal(err)
			}
			var pretty bytes.Buffer
			if err := json.Indent(&pretty, body, "", "  "); err != nil {
				t.Fatal(err)
			}
			pretty.WriteByte('\n')
			path := filepath.Join("testdata", "answer_"+name+".json")
			if *update {
				if err := os.WriteFile(path, pretty.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), pretty.String()); diff != "" {
				t.Errorf("JSON (-%s +got):\n%s", path, diff)
			}
			var back kakao.SkillResponse
			if err := json.Unmarshal(body, &back); err != nil {
				t.Fatalf("reading it back: %v", err)
			}
			if diff := cmp.Diff(r, back); diff != "" {
				t.Errorf("read back (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCommerceCard_readsBothSpellings(t *testing.T) {
	for _, name := range []string{"discountedPrice", "dicountedPrice"} {
		var c kakao.CommerceCard
		if err := json.Unmarshal([]byte(`{"price":14200,"`+name+`":12780}`), &c); err != nil {
			t.Fatal(err)
		}
		if c.DiscountedPrice == nil || *c.DiscountedPrice != 12780 || *c.Price != 14200 {
			t.Errorf("Unmarshal(%s) = %+v, want 12780 of 14200", name, c)
		}
	}
}

func TestCarousel_refusesAnUnknownType(t *testing.T) {
	var c kakao.Carousel
	if err := json.Unmarshal([]byte(`{"type":"simpleText","items":[{"text":"x"}]}`), &c); err == nil {
		t.Errorf("Unmarshal(carousel of simpleText) error = nil, want one")
	}
}

func TestText_splits(t *testing.T) {
	sentence := chars(99) + " " // 100 units
	tests := map[string]struct {
		text  string
		want  []int // UTF-16 units of the bubbles
		valid bool
	}{
		"short":                        {"네", []int{1}, true},
		"exactly one bubble":           {chars(900), []int{900}, true},
		"one past":                     {chars(901), []int{900, 1}, true},
		"at white space":               {strings.Repeat(sentence, 10), []int{899, 99}, true},
		"three bubbles":                {chars(2700), []int{900, 900, 900}, true},
		"the third takes up to 1,000":  {chars(2800), []int{900, 900, 1000}, true},
		"more is refused, not cut off": {chars(2801), []int{900, 900, 1001}, false},
		"an emoji is not split":        {chars(899) + "🙂" + chars(10), []int{899, 12}, true},
		"a family is not split":        {chars(895) + "👩‍👩‍👧‍👦" + chars(10), []int{895, 21}, true},
		"nothing":                      {"  ", []int{0}, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := kakao.Text(tt.text)
			var got []int
			whole := ""
			for _, output := range r.Template.Outputs {
				got = append(got, len(utf16.Encode([]rune(output.SimpleText.Text))))
				whole += output.SimpleText.Text
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Text(%s) units per bubble (-want +got):\n%s", name, diff)
			}
			if without := strings.ReplaceAll(tt.text, " ", ""); strings.ReplaceAll(whole, " ", "") != without {
				t.Errorf("Text(%s) lost words: %d bytes of %d", name, len(whole), len(without))
			}
			if valid := len(kakao.Lint(r)) == 0; valid != tt.valid {
				t.Errorf("Lint(Text(%s)) valid = %v, want %v", name, valid, tt.valid)
			}
		})
	}
}
