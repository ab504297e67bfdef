package kakao_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/malgil/malgil/internal/kakao"
)

// What group rooms show otherwise than channels: each once as it may be, and once past it.
func TestLintRoom(t *testing.T) {
	withButtons := func(layout string, list ...kakao.Button) kakao.SkillResponse {
		return kakao.Respond(textCard(kakao.TextCard{Title: "신간", Buttons: kakao.Buttons{Layout: layout, List: list}}))
	}
	quick := kakao.Text("네")
	quick.Template.QuickReplies = []kakao.QuickReply{{Label: "처음", Action: "message"}}
	mentions := func(n int) kakao.SkillResponse {
		r := kakao.Text("{{#mentions.u0}} 님")
		all := map[string]any{}
		for i := range n {
			all[fmt.Sprint("u", i)] = map[string]any{"type": "botUserKey", "id": fmt.Sprint(i)}
		}
		r.Extra = map[string]any{"mentions": all}
		return r
	}
	tests := map[string]struct {
		at, past kakao.SkillResponse
		path     string
	}{
		"buttons":            {withButtons("", buttons(5, "상담")...), withButtons("", buttons(6, "상담")...), "template.outputs[0].textCard.buttons"},
		"buttons upright":    {withButtons("vertical", buttons(5, "상담")...), withButtons("vertical", buttons(6, "상담")...), "template.outputs[0].textCard.buttons"},
		"buttons lying":      {withButtons("horizontal", buttons(2, "상담")...), withButtons("horizontal", buttons(3, "상담")...), "template.outputs[0].textCard.buttons"},
		"no quick replies":   {kakao.Text("네"), quick, "template.quickReplies"},
		"no commerce card":   {kakao.Respond(basicCard(kakao.BasicCard{Thumbnail: thumbnail()})), kakao.Respond(commerceCard(commerce())), "template.outputs[0].commerceCard"},
		"no carousel":        {kakao.Respond(texts(3)...), kakao.Respond(carousel(kakao.Carousel{Type: "textCard", Items: cards(2, func() kakao.Card { return &kakao.TextCard{Title: "x"} })})), "template.outputs[0].carousel"},
		"mentions":           {mentions(15), mentions(16), "extra.mentions"},
		"what a button does": {withButtons("", kakao.Button{Action: "invite", Label: "초대"}), withButtons("", kakao.Button{Action: "osLink", Label: "열기"}), "template.outputs[0].textCard.buttons[0].action"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := kakao.LintRoom(tt.at); len(got) != 0 {
				t.Errorf("LintRoom(at the limit) = %v, want no problem", got)
			}
			if got := kakao.LintRoom(tt.past); len(got) != 1 || got[0].Path != tt.path {
				t.Errorf("LintRoom(past the limit) = %v, want a problem at %s", got, tt.path)
			}
		})
	}
	for _, action := range []string{"guide", "invite", "inviteMember", "mention", "settings"} {
		r := withButtons("", kakao.Button{Action: action, Label: "x"})
		if got := kakao.LintRoom(r); len(got) != 0 {
			t.Errorf("LintRoom(a button that does %s) = %v, want no problem", action, got)
		}
		wantPath(t, r, "template.outputs[0].textCard.buttons[0].action")
	}
	wantPath(t, withButtons("", buttons(4, "상담")...), "template.outputs[0].textCard.buttons")
}

// A room reads what a channel's answer says, as far as it has room for it.
func TestInRoom(t *testing.T) {
	replies := func(n int) (all []kakao.QuickReply) {
		for i := range n {
			all = append(all, kakao.QuickReply{Label: fmt.Sprint("답 ", i), Action: "block", BlockID: fmt.Sprint("b", i), Extra: map[string]any{"n": i}})
		}
		return all
	}
	asButtons := func(from, to int) kakao.Output {
		card := kakao.TextCard{Description: "아래에서 골라 주세요.", Buttons: kakao.Buttons{Layout: "vertical"}}
		for i := from; i < to; i++ {
			card.List = append(card.List, kakao.Button{Label: fmt.Sprint("답 ", i), Action: "block", BlockID: fmt.Sprint("b", i), Extra: map[string]any{"n": i}})
		}
		return textCard(card)
	}
	sells := func(change func(*kakao.CommerceCard)) kakao.Output {
		price := int64(12_000)
		c := kakao.CommerceCard{Title: "겨울 바다", Description: "시집", Price: &price, Thumbnails: []kakao.Thumbnail{*thumbnail()}, Buttons: kakao.Buttons{List: buttons(1, "사기")}}
		change(&c)
		return commerceCard(c)
	}
	costs := func(text string) kakao.Output {
		return basicCard(kakao.BasicCard{Title: "겨울 바다", Description: text, Thumbnail: thumbnail(), Buttons: kakao.Buttons{List: buttons(1, "사기")}})
	}
	reduced := int64(9_600)
	five := kakao.Carousel{Type: "textCard", Header: &kakao.CarouselHeader{Title: "신간"}}
	for i := range 5 {
		five.Items = append(five.Items, &kakao.TextCard{Title: fmt.Sprint("책 ", i)})
	}
	book := func(i int) kakao.Output { return textCard(kakao.TextCard{Title: fmt.Sprint("책 ", i)}) }
	tests := map[string]struct {
		given kakao.Template
		want  []kakao.Output
	}{
		"texts as they are":         {kakao.Template{Outputs: texts(3)}, texts(3)},
		"quick replies":             {kakao.Template{Outputs: texts(1), QuickReplies: replies(5)}, append(texts(1), asButtons(0, 5))},
		"more of them":              {kakao.Template{Outputs: texts(1), QuickReplies: replies(7)}, append(texts(1), asButtons(0, 5), asButtons(5, 7))},
		"no room for some of them":  {kakao.Template{Outputs: texts(2), QuickReplies: replies(7)}, append(texts(2), asButtons(0, 5))},
		"no room for them":          {kakao.Template{Outputs: texts(3), QuickReplies: replies(2)}, texts(3)},
		"a carousel":                {kakao.Template{Outputs: []kakao.Output{carousel(five)}, QuickReplies: replies(1)}, []kakao.Output{book(0), book(1), book(2)}},
		"a text and a carousel":     {kakao.Template{Outputs: append(texts(1), carousel(five))}, append(texts(1), book(0), book(1))},
		"an article":                {kakao.Template{Outputs: []kakao.Output{sells(func(*kakao.CommerceCard) {})}}, []kakao.Output{costs("시집\n12,000원")}},
		"one that was reduced":      {kakao.Template{Outputs: []kakao.Output{sells(func(c *kakao.CommerceCard) { c.Discount = 2_000 })}}, []kakao.Output{costs("시집\n10,000원 (정가 12,000원)")}},
		"one reduced by its share":  {kakao.Template{Outputs: []kakao.Output{sells(func(c *kakao.CommerceCard) { c.DiscountRate, c.DiscountedPrice = 20, &reduced })}}, []kakao.Output{costs("시집\n9,600원 (정가 12,000원)")}},
		"one that tells the price":  {kakao.Template{Outputs: []kakao.Output{sells(func(c *kakao.CommerceCard) { c.Description = "" })}}, []kakao.Output{costs("12,000원")}},
		"a carousel of articles":    {kakao.Template{Outputs: []kakao.Output{carousel(kakao.Carousel{Type: "commerceCard", Items: []kakao.Card{sells(func(*kakao.CommerceCard) {}).CommerceCard}})}}, []kakao.Output{costs("시집\n12,000원")}},
		"four bubbles stay so many": {kakao.Template{Outputs: texts(4)}, texts(4)}, // for LintRoom to refuse
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := kakao.InRoom(tt.given)
			if diff := cmp.Diff(kakao.Template{Outputs: tt.want}, got); diff != "" {
				t.Errorf("InRoom (-want +got):\n%s", diff)
			}
			if problems := kakao.LintRoomTemplate(got); len(problems) > 0 && len(tt.want) <= 3 {
				t.Errorf("LintRoomTemplate = %v, want no problem", problems)
			}
		})
	}
}
